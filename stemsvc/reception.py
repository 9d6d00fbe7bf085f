"""Taking clients' requests: a job's file, its row, then its message; and ending jobs that nobody wants any more."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import BinaryIO

from stemsvc.admission import Limits
from stemsvc.catalog import Catalog, ModelEntry
from stemsvc.errors import StemsvcError, TransientError, UsageError
from stemsvc.jobs import Job, JobOptions, JobState, JobView, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.intake import UNKNOWN, Bounds, IdempotencyKey
from stemsvc.pools import Pool, choose_pool
from stemsvc.probe import track_seconds
from stemsvc.sender import Sender
from stemsvc.storage import Storage


@dataclass(frozen=True)
class Upload:
    """A client's file: an open binary stream and the name the client gave it."""

    data: BinaryIO
    name: str


@dataclass(frozen=True)
class Rules:
    """What is accepted, and how often it is tried."""

    bounds: Bounds
    limits: Limits
    max_attempts: int
    min_free_bytes: int


@dataclass(frozen=True)
class Request:
    """Who asks: an owner (empty where there are no keys), the request's id, the client's key for it."""

    id: str | None = None
    owner: str = ""
    idempotency_key: str | None = None


class Reception:
    """Turns checked requests into jobs and ends them on request."""

    def __init__(
        self, store: JobStore, sender: Sender, storage: Storage, catalog: Catalog, pools: list[Pool], rules: Rules
    ) -> None:
        self._store = store
        self._sender = sender
        self._storage = storage
        self._catalog = catalog
        self._pools = pools
        self._rules = rules

    def accept(self, upload: Upload, options: JobOptions, request: Request) -> JobView:
        """Store the file, insert the row, have it published. With the row in, the job is accepted whatever comes.

        A request whose idempotency key came before gets the job of that time. Raises `UsageError` for what no model
        or pool can serve and `idempotency_conflict`; `TransientError` `queue_full`, `key_queue_full`, `storage_full`;
        storage's and the store's errors. Where it raises, nothing is left behind.
        """
        entry = self._catalog.get(options.model)
        pool, why = choose_pool(self._pools, entry, options.device)
        self._check_length(upload, entry, options)
        key = _idempotency_key(upload, options, request)
        earlier = self._store.intake.earlier(request.owner, key) if key else None
        if earlier:
            return earlier
        self._store.intake.check_room(pool.queue, request.owner, self._rules.bounds)
        job = self._stored(upload, options, pool, request)
        try:
            view = self._store.intake.put(job, f"accepted; {why}", self._rules.bounds, key)
        except TransientError as error:
            recorded = self._recorded(job.id) if error.code == UNKNOWN else None
            if recorded is None:
                self._erase(job.id)
                raise
            view = recorded
        except BaseException:
            self._erase(job.id)
            raise
        if view.job.id == job.id:
            self._sender.wake()
        else:  # a request with the same key was quicker
            self._erase(job.id)
        return view

    def _check_length(self, upload: Upload, entry: ModelEntry, options: JobOptions) -> None:
        seconds = track_seconds(upload.data)
        if seconds is not None:
            self._rules.limits.check(entry, options.separation, seconds)

    def _stored(self, upload: Upload, options: JobOptions, pool: Pool, request: Request) -> Job:
        job_id = new_job_id()
        key = input_key(job_id)
        self._storage.check_room(self._rules.min_free_bytes)
        size = self._storage.put(key, upload.data, "application/octet-stream")
        return Job(
            id=job_id, state=JobState.QUEUED, options=options, pool=pool.queue, input_key=key, input_name=upload.name,
            input_bytes=size, max_attempts=self._rules.max_attempts, request_id=request.id, owner=request.owner,
        )  # fmt: skip

    def _recorded(self, job_id: str) -> JobView | None:
        """The job if its row was made although the store's answer was lost.

        Raises `TransientError` `acceptance_unknown` where nobody can tell: its file is the job's then, or an orphan,
        and the janitor will see which.
        """
        try:
            return self._store.view(job_id)
        except TransientError as error:
            raise TransientError(UNKNOWN, error.detail) from error

    def view(self, job_id: str, owner: str | None) -> JobView:
        """The job, if it is the owner's; None as owner may see everybody's. Raises `UsageError` `job_not_found`."""
        view = self._store.view(job_id) if job_id.isalnum() else None
        if view is None or owner not in (None, view.job.owner):
            raise UsageError("job_not_found", "no such job")
        return view

    def cancel(self, job_id: str, owner: str | None = None) -> None:
        """End a queued or running job; its worker stops within a segment. A canceled job stays as it is.

        Raises `UsageError` `job_not_found`, or `job_finished` where there is nothing left to cancel.
        """
        self._check_owner(job_id, owner)
        if not self._store.cancel(job_id, "canceled by the client"):
            state = self._check_owner(job_id, owner).state
            if state is not JobState.CANCELED:
                raise UsageError("job_finished", f"the job is {state} already")
        self._erase(job_id)

    def erase(self, job_id: str, owner: str | None = None) -> None:
        """Stop a job, delete its file and stems, forget it. Raises `UsageError` `job_not_found`."""
        self._check_owner(job_id, owner)  # before a stranger's text becomes part of a key
        self._store.cancel(job_id, "deleted by the client")
        self._storage.delete(f"jobs/{job_id}/")
        self._store.delete(job_id)

    def _check_owner(self, job_id: str, owner: str | None) -> Job:
        job = self._store.get(job_id) if job_id.isalnum() else None
        if job is None or owner not in (None, job.owner):
            raise UsageError("job_not_found", "no such job")
        return job

    def _erase(self, job_id: str) -> None:
        # What a worker stores after this, it erases itself when it sees that the job is not its own any more. What
        # can't be deleted now is an orphan, which the janitor finds.
        with contextlib.suppress(StemsvcError):
            self._storage.delete(f"jobs/{job_id}/")


def _idempotency_key(upload: Upload, options: JobOptions, request: Request) -> IdempotencyKey | None:
    if request.idempotency_key is None:
        return None
    asked = json.dumps([upload.name, asdict(options)], sort_keys=True)
    digest = hashlib.sha256(asked.encode())
    while part := upload.data.read(1 << 20):
        digest.update(part)
    upload.data.seek(0)
    return IdempotencyKey(request.idempotency_key, digest.hexdigest())
