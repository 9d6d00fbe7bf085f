"""When a pool child dies, its parent knows at once: the job need not wait for its lease to run out."""

from __future__ import annotations

import os
import socket

import structlog

from stemsvc.errors import StemsvcError
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings

log = structlog.get_logger()


def give_up_lease_of_the_dead(settings: Settings, job_id: str) -> bool:
    """End the job's lease if it belongs to a process of this host that is gone; the dispatcher does the rest.

    What can't be ended now runs out by itself.
    """
    store = JobStore(settings.resolved_database_url)
    try:
        job = store.get(job_id)
        owner = job.lease_owner if job else None
        return bool(owner) and _is_dead_here(str(owner)) and store.revoke(job_id, owner)
    except StemsvcError as error:
        log.warning("lease of a dead child not ended", job_id=job_id, code=error.code)
        return False
    finally:
        store.close()


def _is_dead_here(owner: str) -> bool:
    host, _, pid = owner.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
