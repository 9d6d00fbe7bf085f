"""Keeps jobs going: sends messages that are due or lost, and takes back jobs whose leases ran out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from stemsvc.control.publish import Sender
from stemsvc.control.route import Router
from stemsvc.errors import NotRunning, StemsvcError, TransientError
from stemsvc.jobs.pools import queue_of
from stemsvc.jobs.record import Lease, Priority
from stemsvc.jobstore import JobStore
from stemsvc.observe import metrics
from stemsvc.observe.loggers import get_logger
from stemsvc.queue.celery import Publisher

log = get_logger()


class Dispatcher:
    """Makes sure that every queued job gets its message, and takes jobs back from silent workers."""

    def __init__(
        self,
        store: JobStore,
        publisher: Publisher,
        sender: Sender,
        router: Router,
        republish_seconds: float,
        settle_seconds: float = 3.0,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._sender = sender
        self._router = router
        self._republish_seconds = republish_seconds
        self._settle_seconds = settle_seconds
        self._reap_from = time.monotonic() + settle_seconds

    def sweep(self) -> int:
        """Take jobs back from silent workers. Publish every due job that has no message, and return how many these are.

        Any number of processes may sweep at once.
        """
        try:
            if time.monotonic() >= self._reap_from:
                self._reap()
            self._find_lost_messages(self._republish_seconds)
            self._store.workflows.mend()
            self._router.sweep()
            return self._sender.send_due()
        except TransientError:
            # No worker could renew its lease while the store was away: they get a moment to do so when it is back.
            self._reap_from = time.monotonic() + self._settle_seconds
            raise

    def recover(self, job_ids: Sequence[str] = ()) -> tuple[int, int]:
        """Do at once what sweeps do after a delay. Returns how many jobs were taken back, and how many were published.

        The running jobs `job_ids` are taken from their workers: what those still write changes nothing. Raises
        `UsageError` `not_running`.
        """
        for job_id in job_ids:
            job = self._store.get(job_id)
            lease = Lease(job_id, job.attempt, job.lease_owner or "") if job else None
            if lease is None or not self._store.leases.take_back(lease, "taken back by the operator", counted=False):
                raise NotRunning(f"{job_id} is no running job")
        self._store.recount()
        reaped = self._reap()
        self._find_lost_messages(0.0)
        return len(job_ids) + reaped, self._sender.send_due()

    def _reap(self) -> int:
        reaped = self._store.leases.reap()
        metrics.leases_lost(len(reaped))
        for job in reaped:
            log.warning("lease expired", job_id=job.id, state=str(job.state), attempt=job.attempt)
        return len(reaped)

    def _find_lost_messages(self, patience: float) -> None:
        """Have a queue's jobs published again where the broker holds fewer messages than jobs were published.

        The broker was then wiped or restored. Nobody can say which messages are gone, so all of the queue's are sent
        again. A worker drops a message too many, because the row gives the lease only once. Messages too many may hide
        a loss from this count, but only until the queue is empty. Messages younger than `patience` seconds are left
        out: a worker may be taking them.
        """
        for (pool, priority), waiting in self._store.outbox.waiting(patience).items():
            queue = queue_of(pool, Priority(priority))
            try:
                backlog = self._publisher.backlog(queue)
            except TransientError as error:
                log.warning("can't count messages", code=error.code, detail=error.detail)
                return
            if backlog < waiting:
                count = self._store.outbox.forget(pool, priority, patience)
                log.warning("messages are gone from the broker", queue=queue, jobs=count)


def repeat(name: str, sweep: Callable[[], object], interval: float, stop: threading.Event) -> None:
    """Call `sweep` every `interval` seconds until `stop` is set. A failure is logged, and the next call tries again.

    The metrics tell by its `name` when it last was whole.
    """
    metrics.swept(name, interval)  # a first sweep that fails is late from here on
    while not stop.is_set():
        try:
            sweep()
            metrics.swept(name, interval)
        except StemsvcError as error:
            log.warning("sweep failed", code=error.code, detail=error.detail)
        except Exception:
            log.exception("sweep failed")  # a fault of ours in one job must not leave all others without a dispatcher
        stop.wait(interval)
