"""Taking clients' requests: a job's file, its row, then its message; and ending jobs that nobody wants any more."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from stemsvc.control.publish import Sender
from stemsvc.control.route import Router
from stemsvc.control.sources import Source, UploadedFile
from stemsvc.errors import (
    AcceptanceUnknown,
    BadInputs,
    JobFinished,
    JobNotFound,
    StemsvcError,
    TooManyUploads,
    TransientError,
    UploadNotFound,
)
from stemsvc.guard import Guard
from stemsvc.jobs.pools import FETCH
from stemsvc.jobs.record import Job, JobState, JobView, Priority, input_key, new_job_id
from stemsvc.jobs.spec import Input, JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.intake import IdempotencyKey
from stemsvc.jobstore.uploads import Upload
from stemsvc.kinds import registry
from stemsvc.kinds.base import Role
from stemsvc.kinds.limits import TYPICAL_TRACK_SECONDS, Limits
from stemsvc.kinds.registry import AnyKind
from stemsvc.models.catalog import Catalog
from stemsvc.storage import Storage


@dataclass(frozen=True)
class Rules:
    """What is accepted, and how often it is tried."""

    bounds: Bounds
    limits: Limits
    max_attempts: int
    min_free_bytes: int
    guard: Guard = field(default_factory=Guard)  # what addresses may be fetched from and told


@dataclass(frozen=True)
class Request:
    """Who asks: an owner (empty where there are no keys), the request's id, the client's key for it.

    What the owner's key allows of jobs that wait and of audio minutes in a day goes before the rules.
    """

    id: str | None = None
    owner: str = ""
    idempotency_key: str | None = None
    trace: str | None = None  # W3C traceparent of the request
    max_waiting: int | None = None
    minutes_per_day: float | None = None


class Acceptance:
    """Turns checked requests into jobs and ends them on request."""

    def __init__(
        self, store: JobStore, sender: Sender, storage: Storage, catalog: Catalog, router: Router, rules: Rules
    ) -> None:
        self._store = store
        self._sender = sender
        self._storage = storage
        self._catalog = catalog
        self._router = router
        self._rules = rules

    def accept(self, sources: Sequence[Source], spec: JobSpec, request: Request) -> JobView:
        """Store the files, insert the row, have it published. With the row in, the job is accepted whatever comes.

        `spec` is as `specify` gives it. A request whose idempotency key came before gets the job of that time. Raises
        `UsageError` for what no pool can serve, for addresses that must not be gone to, and `idempotency_conflict`;
        `TransientError` `queue_full`, `key_queue_full`, `quota_exceeded`, `storage_full`; storage's and the store's
        errors. Where it raises, nothing is left behind, but for the files of an `acceptance_unknown`, which may be a
        job's yet.
        """
        key = _idempotency_key(sources, spec, request)
        earlier = self._store.intake.earlier(request.owner, key) if key else None
        if earlier:  # whatever has become of pools and rules since
            return self._store.seen(earlier)
        for url in filter(None, (*(source.url for source in sources), spec.envelope.webhook_url)):
            self._rules.guard.check_url(url)
        seconds, kind = _seconds(sources), registry.get(spec.kind)
        params = kind.read(spec.params)
        cost = self._predicted(kind, params, spec, seconds)
        needs = kind.needs(params, self._catalog)
        choice = self._router.choose(spec.kind, needs, spec.envelope.device, cost if seconds else 0.0)
        linked = any(source.url for source in sources)
        pool, bounds = FETCH if linked else choice.pool.name, self._bounds(request)
        self._store.intake.check_room(pool, request.owner, bounds)
        job = replace(self._stored(sources, spec, pool, request), cost=cost)
        if linked:
            job = replace(job, next_pool=choice.pool.name)
        view = self._put(job, f"accepted; {choice.why}", bounds, key, seconds or 0.0)
        if view.job.id == job.id:
            self._sender.wake()
        else:  # a request with the same key was quicker
            self._erase(job.id)
        return self._store.seen(view)

    def specify(self, spec: JobSpec, roles: Sequence[str] = ("source",)) -> JobSpec:
        """The spec with what its client left open filled in by its kind. Raises `UsageError` for what can't be done."""
        kind = registry.get(spec.kind)
        for role in kind.roles:
            count = list(roles).count(role.name)
            if not role.least <= count <= role.most:
                raise BadInputs(f"{spec.kind} takes {_amount(role)} of the role {role.name}, not {count}")
        if unknown := set(roles) - {role.name for role in kind.roles}:
            raise BadInputs(f"{spec.kind} has no role {min(unknown)}")
        params = kind.check(kind.read(spec.params), roles, self._catalog)
        return replace(spec, params=kind.stored(params), more=kind.mirrored(params))

    def _put(self, job: Job, why: str, bounds: Bounds, key: IdempotencyKey | None, seconds: float) -> JobView:
        try:
            return self._store.intake.put(job, why, bounds, key, seconds)
        except AcceptanceUnknown:
            recorded = self._recorded(job.id)
            if recorded is None:  # the commit may yet be done; if it is not, the file is an orphan for the janitor
                raise
            return recorded
        except BaseException:
            self._erase(job.id)
            raise

    def uploaded(self, upload_id: str, owner: str | None) -> UploadedFile:
        """The file that a client stored by itself. Raises `UsageError` `upload_not_found`."""
        upload = self._store.uploads.find(upload_id) if upload_id.isalnum() else None
        if upload is None or owner not in (None, upload.owner):
            raise UploadNotFound("no such upload, or its time is over")
        return UploadedFile(upload)

    def announce_upload(self, name: str, max_bytes: int, request: Request, seconds: float, most: int) -> Upload:
        """Make an upload for a client to send a file to. Raises `TransientError` `too_many_uploads`, `storage_full`."""
        self._storage.check_room(self._rules.min_free_bytes)
        made = self._store.uploads.add(Upload(new_job_id(), request.owner, name, max_bytes), seconds, most)
        if made is None:
            raise TooManyUploads(f"{most} uploads are open already", retry_after=60.0)
        return made

    def erase_upload(self, upload_id: str, owner: str | None) -> None:
        """Delete an upload and what was sent to it. Raises `UsageError` `upload_not_found`."""
        upload = self.uploaded(upload_id, owner).upload
        self._storage.delete(f"uploads/{upload.id}/")
        self._store.uploads.delete(upload.id)

    def _bounds(self, request: Request) -> Bounds:
        waiting = self._rules.bounds.owner if request.max_waiting is None else request.max_waiting
        seconds = None if request.minutes_per_day is None else request.minutes_per_day * 60
        return Bounds(self._rules.bounds.pool, waiting, seconds)

    def _predicted(self, kind: AnyKind, params: Any, spec: JobSpec, seconds: float | None) -> float:
        """What it will cost; of a typical track where its length is not known yet. Raises what `Limits.check` does."""
        predicted = kind.cost(params, seconds or TYPICAL_TRACK_SECONDS, self._catalog)
        if seconds is not None:
            self._rules.limits.check(spec.model or spec.kind, kind.advice, predicted, seconds)
        return predicted

    def _stored(self, sources: Sequence[Source], spec: JobSpec, pool: str, request: Request) -> Job:
        job_id = new_job_id()
        if not all(source.url for source in sources):
            self._storage.check_room(self._rules.min_free_bytes)
        inputs: list[Input] = []
        try:
            for number, source in enumerate(sources):
                key = input_key(job_id, number)
                size = source.place(self._storage, key)
                inputs.append(Input(source.name, key, size, source.role, source.url))
        except BaseException:
            self._erase(job_id)
            raise
        return Job(
            id=job_id, state=JobState.QUEUED, spec=spec, pool=pool, inputs=tuple(inputs),
            max_attempts=self._rules.max_attempts, request_id=request.id, owner=request.owner,
            priority=int(Priority[spec.envelope.priority.upper()]), trace=request.trace,
        )  # fmt: skip

    def _recorded(self, job_id: str) -> JobView | None:
        """The job if its row was made although the store's answer was lost.

        Raises `TransientError` `acceptance_unknown` where nobody can tell: its file is the job's then, or an orphan,
        and the janitor will see which.
        """
        try:
            return self._store.view(job_id)
        except TransientError as error:
            raise AcceptanceUnknown(error.detail) from error

    def view(self, job_id: str, owner: str | None) -> JobView:
        """The job, if it is the owner's; None as owner may see everybody's. Raises `UsageError` `job_not_found`."""
        view = self._store.view(job_id) if job_id.isalnum() else None
        if view is None or owner not in (None, view.job.owner):
            raise JobNotFound("no such job")
        return view

    def cancel(self, job_id: str, owner: str | None = None) -> None:
        """End a queued or running job; its worker stops within a segment. A canceled job stays as it is.

        Raises `UsageError` `job_not_found`, or `job_finished` where there is nothing left to cancel.
        """
        self._check_owner(job_id, owner)
        if not self._store.cancel(job_id, "canceled by the client"):
            state = self._check_owner(job_id, owner).state
            if state is not JobState.CANCELED:
                raise JobFinished(f"the job is {state} already")

    def erase(self, job_id: str, owner: str | None = None) -> None:
        """Stop a job, delete its file and stems, forget it. Raises `UsageError` `job_not_found`."""
        self._check_owner(job_id, owner)  # before a stranger's text becomes part of a key
        self._store.cancel(job_id, "deleted by the client")
        self._storage.delete(f"jobs/{job_id}/")
        self._store.delete(job_id)

    def _check_owner(self, job_id: str, owner: str | None) -> Job:
        job = self._store.get(job_id) if job_id.isalnum() else None
        if job is None or owner not in (None, job.owner):
            raise JobNotFound("no such job")
        return job

    def _erase(self, job_id: str) -> None:
        with contextlib.suppress(StemsvcError):  # what can't be deleted now is an orphan, which the janitor finds
            self._storage.delete(f"jobs/{job_id}/")


def _idempotency_key(sources: Sequence[Source], spec: JobSpec, request: Request) -> IdempotencyKey | None:
    """By what a request is the same: also the same as one that release 0.1 was sent, for separations."""
    if request.idempotency_key is None:
        return None
    first = sources[0] if sources else None
    options = {**spec.more, **asdict(spec.envelope), **asdict(spec.encoding), "source_url": first.url if first else ""}
    asked: list[Any] = [first.name if first else "", first.fingerprint() if first else "", options]
    if spec.kind != "separate" or len(sources) > 1:
        asked += [spec.kind, spec.params, [[each.role, each.name, each.fingerprint()] for each in sources[1:]]]
    told = json.dumps(asked, sort_keys=True)
    return IdempotencyKey(request.idempotency_key, hashlib.sha256(told.encode()).hexdigest())


def _seconds(sources: Sequence[Source]) -> float | None:
    """How long the longest track says it plays; None where one does not say."""
    found = [source.seconds() for source in sources]
    return None if None in found else max((each for each in found if each is not None), default=0.0)


def _amount(role: Role) -> str:
    return f"{role.least}" if role.least == role.most else f"{role.least} to {role.most}"
