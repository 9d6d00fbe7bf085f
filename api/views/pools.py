"""`/v1/pools`: the workers of each pool, and how many jobs wait for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from werkzeug.routing import PathConverter

from api.edge.acting import acting
from api.edge.auth import caller
from api.edge.bodies import BodyBlueprint
from api.schemas.answers import ProblemSchema
from api.schemas.pools import DrainForm, PoolSchema, PoolsSchema
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.errors import PoolNotFound
from stemsvc.jobs.record import Priority
from stemsvc.jobstore.pool_status import PoolStatus, pool_statuses
from stemsvc.jobstore.workers import OF_0_1, Seen

blueprint = BodyBlueprint("pools", __name__, url_prefix="/v1/pools", description="Pools of workers, and their queues")


class PoolName(PathConverter):
    """A pool's name in a path. It may have slashes and colons, but what ends as an act does is that act's path."""

    regex = PathConverter.regex + r"(?<!:drain)(?<!:resume)"


@blueprint.route("")
@blueprint.response(200, PoolsSchema)
def index() -> dict[str, Any]:
    """List the pools

    A pool is the workers that do some kinds of work with some models on one device.
    """
    sees_all = caller(Scope.READ).sees is None
    return {"pools": [_shown(each, sees_all) for each in pool_statuses(services().store, services().pools)]}


@blueprint.route("/<pool:name>")
@blueprint.response(200, PoolSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such pool")
def show(name: str) -> dict[str, Any]:
    """Show one pool

    An autoscaler scales the pool's workers by `jobs`.
    """
    sees_all = caller(Scope.READ).sees is None
    return _shown(_status(name), sees_all)


@blueprint.route("/<pool:name>:drain", methods=["POST"])
@blueprint.arguments(DrainForm, example={"why": "a new driver"}, required=False)
@blueprint.response(200, PoolSchema)
@blueprint.alt_response(403, schema=ProblemSchema, description="the key lacks the scope `admin`")
@blueprint.alt_response(404, schema=ProblemSchema, description="no such pool")
def drain(form: dict[str, Any], name: str) -> dict[str, Any]:
    """Have a pool take no new work

    It needs the scope `admin`. The pool finishes the jobs that it runs. Its queued jobs go to other pools that serve
    them, or wait until it is resumed. It stays drained across restarts. Draining twice is no error.
    """
    who = caller(Scope.ADMIN)
    _status(name)
    services().store.drains.drain(name, form["why"], acting(who))
    return _shown(_status(name), sees_all=True)


@blueprint.route("/<pool:name>:resume", methods=["POST"])
@blueprint.response(200, PoolSchema)
@blueprint.alt_response(403, schema=ProblemSchema, description="the key lacks the scope `admin`")
@blueprint.alt_response(404, schema=ProblemSchema, description="no such pool")
def resume(name: str) -> dict[str, Any]:
    """Have a drained pool take work again

    It needs the scope `admin`. It is no error where the pool is not drained.
    """
    who = caller(Scope.ADMIN)
    _status(name)
    services().store.drains.resume(name, acting(who))
    services().sender.wake()
    return _shown(_status(name), sees_all=True)


def _status(name: str) -> PoolStatus:
    for each in pool_statuses(services().store, services().pools):
        if each.name == name:
            return each
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
        "jobs": status.jobs,
        "drained_at": datetime.fromtimestamp(status.drain.at, UTC) if status.drain else None,
        "drained_why": status.drain.why if status.drain else None,
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
        "jobs": list(worker.job_ids),
        "slots": worker.slots,
        "kinds": list(OF_0_1 if worker.kinds is None else worker.kinds),
        "version": worker.version,
        "started_at": datetime.fromtimestamp(seen.started_at, UTC),
        "seen_at": datetime.fromtimestamp(seen.seen_at, UTC),
    }
