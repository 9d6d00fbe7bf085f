"""Ends the leases of dead processes of this machine, so that their jobs do not wait until the leases run out.

A worker's main process learns at once when one of its pool processes dies. When a whole worker dies, the worker that
is started in its place finds the leases that it left.
"""

from __future__ import annotations

from stemsvc.control.subscribers import open_store
from stemsvc.errors import StemsvcError
from stemsvc.jobs.record import Job, JobState, Lease
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.leases import WHOLE_WORKERS
from stemsvc.observe.loggers import get_logger
from stemsvc.queue.changes import Changes
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from workers.host.identity import has_ended

log = get_logger()


def end_leases_of_the_dead(settings: Settings, job_id: str | None = None) -> int:
    """End the leases that dead processes of this machine (or container) hold, on all jobs or on one; returns how many.

    Their jobs are queued again, or fail after their last attempt. A lease that can't be ended now runs out by itself.
    """
    changes = Changes(settings.broker_url)
    store = open_store(settings, open_storage(settings), changes)
    try:
        found = store.running() if job_id is None else [job for job in (store.get(job_id),) if job]
        leases = [Lease(job.id, job.attempt, str(job.lease_owner)) for job in found if _is_orphaned(job)]
        ended = sum(_end(store, lease, whole_worker=job_id is None) for lease in leases)
    except StemsvcError as error:
        log.warning("leases of dead processes not ended", code=error.code, detail=error.detail)
        return 0
    finally:
        store.close()
        changes.close()
    if ended:
        log.info("leases of dead processes ended", jobs=ended)
    return ended


def _end(store: JobStore, lease: Lease, *, whole_worker: bool) -> bool:
    counted = not whole_worker or lease.attempt >= WHOLE_WORKERS
    return store.leases.take_back(lease, "the worker's process is gone", counted=counted) is not None


def _is_orphaned(job: Job) -> bool:
    return job.state is JobState.RUNNING and has_ended(job.lease_owner or "")
