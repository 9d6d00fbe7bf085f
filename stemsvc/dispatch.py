"""Accepting a job (its file, its row, then its message) and publishing again what lost its message."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import structlog

from stemsvc.catalog import Catalog
from stemsvc.errors import StemsvcError, TransientError, UsageError
from stemsvc.jobs import Job, JobOptions, JobState, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.pools import Pool, choose_pool
from stemsvc.queue import Publisher
from stemsvc.storage import Storage

log = structlog.get_logger()


@dataclass(frozen=True)
class Upload:
    """A client's file: an open binary stream and the name the client gave it."""

    data: BinaryIO
    name: str


class Dispatcher:
    """Turns checked requests into jobs and keeps every queued job's message alive."""

    def __init__(
        self,
        store: JobStore,
        publisher: Publisher,
        storage: Storage,
        catalog: Catalog,
        pools: list[Pool],
        max_attempts: int,
        republish_seconds: float,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._storage = storage
        self._catalog = catalog
        self._pools = pools
        self._max_attempts = max_attempts
        self._republish_seconds = republish_seconds

    def accept(self, upload: Upload, options: JobOptions, request_id: str | None) -> Job:
        """Store the file, insert the row, publish. With the row in, the job is accepted whatever the broker says.

        Raises `UsageError` for options that no model or pool can serve, storage's and the store's errors.
        """
        pool, why = choose_pool(self._pools, options.model, options.device)
        job_id = new_job_id()
        key = input_key(job_id)
        size = self._storage.put(key, upload.data, "application/octet-stream")
        job = Job(
            id=job_id, state=JobState.QUEUED, options=options, pool=pool.queue, input_key=key,
            input_name=upload.name, input_bytes=size, max_attempts=self._max_attempts, request_id=request_id,
        )  # fmt: skip
        try:
            job = self._store.insert(job, f"accepted; {why}")
        except BaseException:
            self._storage.delete(key)
            raise
        self._publish(job)
        return job

    def cancel(self, job_id: str) -> None:
        """End a queued or running job; its worker stops within a segment. A canceled job stays as it is.

        Raises `UsageError` `job_not_found`, or `job_finished` where there is nothing left to cancel.
        """
        if not self._store.cancel(job_id, "canceled by the client"):
            job = self._store.get(job_id)
            if job is None:
                raise UsageError("job_not_found", "no such job")
            if job.state is not JobState.CANCELED:
                raise UsageError("job_finished", f"the job is {job.state} already")
        self._erase(job_id)

    def erase(self, job_id: str) -> None:
        """Stop a job, delete its file and stems, forget it. Raises `UsageError` `job_not_found`."""
        if self._store.get(job_id) is None:  # before a stranger's text becomes part of a key
            raise UsageError("job_not_found", "no such job")
        self._store.cancel(job_id, "deleted by the client")
        self._erase(job_id)
        self._store.delete(job_id)

    def _erase(self, job_id: str) -> None:
        # what a worker stores after this, it erases itself when it sees that the job is not its own any more
        self._storage.delete(f"jobs/{job_id}/")

    def sweep(self) -> int:
        """Reclaim jobs of silent workers and publish every due job that has no message; returns how many.

        Any number of processes may sweep at once.
        """
        for job in self._store.reap():
            log.warning("lease expired", job_id=job.id, state=str(job.state), attempt=job.attempt)
            if job.state is JobState.FAILED:
                self._storage.delete(f"jobs/{job.id}/")
        self._find_lost_messages()
        return sum(self._publish(job) for job in self._store.unpublished())

    def _find_lost_messages(self) -> None:
        """Where fewer messages wait than jobs that were published, some are gone: the broker was wiped or restored.

        Which ones can't be told, so all of the pool's are sent again: a message too many is dropped by the worker
        that gets it, since the row gives the lease only once. Messages too many may hide a loss from this count, but
        no longer than until the queue is empty. Fresh messages are left out: a worker may just be taking them.
        """
        try:
            for pool, waiting in self._store.published_waiting(self._republish_seconds).items():
                if self._publisher.backlog(pool) < waiting:
                    count = self._store.forget_messages(pool, self._republish_seconds)
                    log.warning("messages are gone from the broker", pool=pool, jobs=count)
        except TransientError as error:
            log.warning("can't count messages", code=error.code, detail=error.detail)

    def run(self, interval: float, stop: threading.Event) -> None:
        """Sweep every `interval` seconds until `stop` is set."""
        repeat(self.sweep, interval, stop)

    def _publish(self, job: Job) -> bool:
        try:
            if not self._store.claim_publishing(job.id):
                return False
        except TransientError as error:
            log.warning("not published yet", job_id=job.id, code=error.code, detail=error.detail)
            return False
        try:
            self._publisher.publish(job.id, job.pool)
        except TransientError as error:
            log.warning("not published yet", job_id=job.id, code=error.code, detail=error.detail)
            with contextlib.suppress(TransientError):  # a claim without a message is found as a lost one
                self._store.unclaim_publishing(job.id)
            return False
        return True


def repeat(sweep: Callable[[], object], interval: float, stop: threading.Event) -> None:
    """Call `sweep` every `interval` seconds until `stop` is set; what fails is logged and tried again."""
    while not stop.is_set():
        try:
            sweep()
        except StemsvcError as error:
            log.warning("sweep failed", code=error.code, detail=error.detail)
        except Exception:
            log.exception("sweep failed")  # a fault of ours in one job must not leave all others without a dispatcher
        stop.wait(interval)
