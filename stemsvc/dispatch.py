"""Accepting a job (its file, its row, then its message) and publishing again what lost its message."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import BinaryIO

import structlog

from stemsvc.catalog import Catalog
from stemsvc.errors import TransientError
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
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._storage = storage
        self._catalog = catalog
        self._pools = pools
        self._max_attempts = max_attempts

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

    def sweep(self) -> int:
        """Reclaim jobs of silent workers and publish every due job that has no message; returns how many."""
        for job in self._store.reap():
            log.warning("lease expired", job_id=job.id, state=str(job.state), attempt=job.attempt)
            if job.state is JobState.FAILED:
                self._storage.delete(f"jobs/{job.id}/")
        return sum(self._publish(job) for job in self._store.unpublished())

    def run(self, interval: float, stop: threading.Event) -> None:
        """Sweep every `interval` seconds until `stop` is set; a failing part is logged and tried again."""
        while not stop.is_set():
            try:
                self.sweep()
            except TransientError as error:
                log.warning("sweep failed", code=error.code, detail=error.detail)
            stop.wait(interval)

    def _publish(self, job: Job) -> bool:
        try:
            self._publisher.publish(job.id, job.pool)
            self._store.mark_published(job.id)
        except TransientError as error:
            log.warning("not published yet", job_id=job.id, code=error.code, detail=error.detail)
            return False
        return True
