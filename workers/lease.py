"""Keeping a job's lease alive while it runs, and noticing when it is no longer ours."""

from __future__ import annotations

import threading
from types import TracebackType

import structlog

from stemsvc.errors import StemsvcError
from stemsvc.jobs import Lease
from stemsvc.jobstore import JobStore

log = structlog.get_logger()
POLL_SECONDS = 1.0  # how soon a cancel is noticed


class LeaseLost(Exception):
    """Raised inside a job that was canceled or given to another worker: stop, write nothing more."""


class LeaseKeeper:
    """Renews the lease and reports progress from a thread of its own, so that a long segment can't cost the lease."""

    def __init__(self, store: JobStore, lease: Lease, seconds: float) -> None:
        self._store = store
        self._lease = lease
        self._seconds = seconds
        self._interval = min(seconds / 4, POLL_SECONDS)
        self._fraction = 0.0
        self._stage = "starting"
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease-{lease.job_id}", daemon=True)

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def report(self, stage: str, done: int, total: int) -> None:
        """Note progress for the next renewal; raises `LeaseLost` once the job is not ours."""
        self._stage = stage
        if total:
            self._fraction = done / total
        if self._lost.is_set():
            raise LeaseLost(self._lease.job_id)

    def wait(self, seconds: float) -> None:
        """Sleep; raises `LeaseLost` as soon as the job is not ours."""
        if self._lost.wait(seconds):
            raise LeaseLost(self._lease.job_id)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                held = self._store.heartbeat(self._lease, self._seconds, self._fraction, self._stage)
            except StemsvcError as error:  # the lease outlives a short outage of the store
                log.warning("heartbeat failed", job_id=self._lease.job_id, code=error.code)
                continue
            if not held:
                self._lost.set()
                return
