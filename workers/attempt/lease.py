"""Keeping a job's lease alive while it runs, and noticing when it is no longer ours or takes too long."""

from __future__ import annotations

import contextvars
import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from stemsvc.accounts.webhooks import EventType
from stemsvc.errors import StemsvcError, TimeLimit
from stemsvc.jobs.record import Lease
from stemsvc.jobstore import JobStore
from stemsvc.observe.loggers import get_logger
from workers.attempt.pace import Pace

log = get_logger()
POLL_SECONDS = 1.0  # how soon a cancel is noticed
OBEY_SECONDS = 120.0  # how long a job may take to notice that it is over: a segment, on a slow machine
DEAF_SECONDS = 300.0  # without a sign from our own thread the process hangs with the interpreter locked, and ends


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
        self._deadline: float | None = None  # by time.monotonic, while the job computes
        self._limit = 0.0
        self._quarter = 0  # of the job that its client was told of
        self._computing = False
        self._pace = Pace()
        self._beat: Callable[[], None] = lambda: None
        self._stop = threading.Event()
        self._lost = threading.Event()
        here = contextvars.copy_context()  # so that its lines in the log are the job's, too
        self._thread = threading.Thread(target=here.run, args=(self._run,), name=f"lease-{lease.job_id}", daemon=True)

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def limit(self, seconds: float | None) -> None:
        """From now on the job may go on for that long; None: for ever.

        Then `report` raises `FatalError` `time_limit`. A job that doesn't even report any more is failed here and its
        process killed.
        """
        self._limit = seconds or 0.0
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def report(self, stage: str, done: int, total: int) -> None:
        """Note progress for the next renewal; raises `LeaseLost` once the job is not ours."""
        self._stage = stage
        if total:
            self._fraction = done / total
        if self._computing:
            self._pace.note(done, total)
        if self._lost.is_set():
            raise LeaseLost(self._lease.job_id)
        if self._over() > 0:
            raise TimeLimit(self._too_long())

    @contextmanager
    def computing(self) -> Iterator[None]:
        """What is reported inside is the progress that clients hear of."""
        self._pace.begin()
        self._computing = True
        try:
            yield
        finally:
            self._computing = False
            self._pace.begin()  # what comes after has no segments

    @contextmanager
    def showing(self, beat: Callable[[], None]) -> Iterator[None]:
        """Call `beat` at each renewal while the context lasts."""
        self._beat = beat
        try:
            yield
        finally:
            self._beat = lambda: None

    def is_held(self, lease: Lease) -> bool:
        """Whether another job's lease is still valid; it counts as valid while the store does not answer."""
        try:
            return self._store.leases.is_held(lease)
        except StemsvcError:
            return True

    def wait(self, seconds: float) -> None:
        """Sleep; raises `LeaseLost` as soon as the job is not ours."""
        if self._lost.wait(seconds):
            raise LeaseLost(self._lease.job_id)

    def _over(self) -> float:
        return 0.0 if self._deadline is None else time.monotonic() - self._deadline

    def _too_long(self) -> str:
        return f"the job computed for more than {self._limit:.0f} s, which is far more than its length explains"

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            faulthandler.dump_traceback_later(DEAF_SECONDS, exit=True, file=2)  # put off at each round
            self._beat()
            if self._over() > OBEY_SECONDS:
                self._end_process()
            if self._lost.is_set():
                continue
            try:
                held = self._store.leases.heartbeat(
                    self._lease, self._seconds, self._fraction, self._stage, self._pace.left()
                )
            except StemsvcError as error:  # the lease outlives a short outage of the store
                log.warning("heartbeat failed", job_id=self._lease.job_id, code=error.code)
                continue
            if held and int(self._fraction * 4) > self._quarter and self._computing:
                self._announce(int(self._fraction * 4))
            if not held:
                self._deadline = time.monotonic()
                self._lost.set()

    def _announce(self, quarter: int) -> None:
        self._quarter = quarter
        try:
            self._store.leases.announce(self._lease, EventType.PROGRESS)
        except StemsvcError as error:
            log.warning("progress not announced", job_id=self._lease.job_id, code=error.code)

    def _end_process(self) -> None:
        log.error("job hangs; ending this process", job_id=self._lease.job_id, stage=self._stage)
        try:
            self._store.leases.fail(self._lease, TimeLimit.code, self._too_long())
        except StemsvcError as error:  # then the lease runs out
            log.warning("not failed", job_id=self._lease.job_id, code=error.code)
        os.kill(os.getpid(), signal.SIGKILL)
