"""`/v1/pools`: the workers of each pool, and how many jobs wait for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask_smorest import Blueprint

from api.edge.auth import caller
from api.schemas.answers import PoolSchema, PoolsSchema, ProblemSchema
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.errors import PoolNotFound
from stemsvc.jobs.record import Priority
from stemsvc.jobstore.pool_status import PoolStatus, pool_statuses
from stemsvc.jobstore.workers import Seen

blueprint = Blueprint("pools", __name__, url_prefix="/v1/pools", description="Pools of workers, and their queues")


@blueprint.route("")
@blueprint.response(200, PoolsSchema)
def index() -> dict[str, Any]:
    """List the pools

    A pool is the workers that do some kinds of work with some models on one device.
    """
    sees_all = caller(Scope.READ).sees is None
    return {"pools": [_shown(each, sees_all) for each in pool_statuses(services().store, services().pools)]}


@blueprint.route("/<path:name>")
@blueprint.response(200, PoolSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such pool")
def show(name: str) -> dict[str, Any]:
    """Show one pool

    An autoscaler scales the pool's workers by `jobs`.
    """
    sees_all = caller(Scope.READ).sees is None
    for each in pool_statuses(services().store, services().pools):
        if each.name == name:
            return _shown(each, sees_all)
    raise PoolNotFound("no such pool")


def _shown(status: PoolStatus, sees_all: bool) -> dict[str, Any]:
    pool = status.pool
    return {
        "name": status.name,
        "kinds": list(pool.kinds) if pool else [],
        "models": list(pool.models) if pool else [],
        "device": pool.device if pool else "none",
        "precision": pool.precision if pool else None,
        "slots": status.slots,
        "queued": status.queued,
        "running": status.running,
        "jobs": status.queued + status.running,
        "waiting": {priority.word: status.waiting.get(priority, 0) for priority in Priority},
        "workers": [_worker(seen) for seen in status.workers] if sees_all else [],
    }


def _worker(seen: Seen) -> dict[str, Any]:
    worker = seen.worker
    return {
        "id": worker.id,
        "device_name": worker.device_name,
        "free_memory_mb": worker.free_memory_mb,
        "models": list(worker.models),
        "busy": bool(worker.job_ids),
        "started_at": datetime.fromtimestamp(seen.started_at, UTC),
        "seen_at": datetime.fromtimestamp(seen.seen_at, UTC),
    }
