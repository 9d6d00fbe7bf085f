"""What a workflow would take, told before anything is made: steps, pools, waiting and working time, storage, cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stemsvc.control.accept import Request, granted
from stemsvc.control.workflows import Order, Route, SpecOf, WorkflowAcceptance
from stemsvc.jobs.probe import Length
from stemsvc.jobs.record import Priority
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.fair_queue import Place
from stemsvc.jobstore.forecasts import PoolWork
from stemsvc.kinds import registry
from stemsvc.kinds.limits import TYPICAL_TRACK_SECONDS
from stemsvc.storage import Storage
from stemsvc.workflows.forecast import Load, Times, forecast


@dataclass(frozen=True)
class Unsent:
    """A song of which only the length is known; None: not even that. It can be planned with, and nothing else."""

    seconds: float | None
    name: str = "track"
    url: str = ""
    role: str = "source"
    upload_id: str = ""
    from_job: str = ""
    from_output: str = ""

    def fingerprint(self) -> str:
        """See `Source`."""
        return f"unsent {self.seconds}"

    def length(self, storage: Storage) -> Length | None:
        """See `Source`. Its limits count: who plans wants to know whether the song will be taken."""
        return None if self.seconds is None else Length(self.seconds, proved=True)

    def size(self, storage: Storage) -> int:
        """See `Source`."""
        return 0

    def place(self, storage: Storage, key: str) -> int:
        """See `Source`."""
        raise AssertionError("a song that was not sent can't be stored")


class Planner:
    """Plans workflows by the kinds' own predictions, the workers that live, and the queues as they are."""

    def __init__(self, store: JobStore, storage: Storage, workflows: WorkflowAcceptance, price_per_hour: float) -> None:
        self._store = store
        self._storage = storage
        self._workflows = workflows
        self._price = price_per_hour

    def plan(self, order: Order, spec_of: SpecOf, request: Request) -> dict[str, Any]:
        """The fields of `PlanSchema` but the currency. Raises what `WorkflowAcceptance.accept` raises of the graph."""
        routes = self._workflows.routes(order, spec_of, request)
        priority = granted(str(order.options.get("priority") or ""), request.max_priority)
        places = {
            (route.pool.name, route.spec.kind): Place(route.pool.name, int(Priority[priority.upper()]), request.owner)
            for route in routes
        }
        work = {key: self._store.forecasts.work(place, key[1]) for key, place in places.items()}
        slots = {(name, kind): self._store.workers.slots(kind).get(name, 0) for name, kind in places}
        pools = {name: max(slots[key] for key in places if key[0] == name) for name, _ in places}
        free = {name: _waiting(name, work, pools[name]) for name in pools}
        seconds = [route.cost * (work[route.pool.name, route.spec.kind].pace or 1.0) for route in routes]
        loads = [Load(each.pool.name, spent, each.needs) for each, spent in zip(routes, seconds, strict=True)]
        times = forecast(loads, pools, free)
        steps = [
            self._step(route, routes, spent, when, work[route.pool.name, route.spec.kind])
            for route, spent, when in zip(routes, seconds, times, strict=True)
        ]
        sent = sum(source.size(self._storage) for source in order.sources)
        return {
            "steps": steps,
            "pools": [{"name": name, "slots": pools[name], "waiting_seconds": round(free[name], 1)} for name in pools],
            "waiting_seconds": round(min((when.begins for when in times), default=0.0), 1),
            "work_seconds": round(sum(seconds), 1),
            "total_seconds": round(max((when.ends for when in times), default=0.0), 1),
            "stored_bytes": sent + sum(step["stored_bytes"] for step in steps),
            "cost": round(sum(seconds) / 3600 * self._price, 4),
        }

    def _step(self, route: Route, routes: Sequence[Route], spent: float, when: Times, work: PoolWork) -> dict[str, Any]:
        kind = registry.get(route.spec.kind)
        length = route.seconds or TYPICAL_TRACK_SECONDS
        return {
            "step": route.name,
            "kind": route.spec.kind,
            "model": route.spec.model,
            "pool": route.pool.name,
            "device": route.pool.device,
            "why": route.why,
            "alive": route.alive,
            "after": [routes[number].name for number in route.needs],
            "waiting_seconds": round(when.begins - when.ready, 1),
            "starts_seconds": round(when.begins, 1),
            "ends_seconds": round(when.ends, 1),
            "work_seconds": round(spent, 1),
            "measured": work.pace is not None,
            "stored_bytes": math.ceil(kind.makes(kind.read(route.spec.params), route.spec.encoding, length)),
        }


def _waiting(pool: str, work: dict[tuple[str, str], PoolWork], slots: int) -> float:
    """Seconds until the pool has worked off what is before a new job there."""
    own = [each for (name, _), each in work.items() if name == pool]
    paces = [each.pace for each in own if each.pace is not None]
    ahead = max(each.ahead for each in own)
    return ahead * (max(paces) if paces else 1.0) / max(1, slots)
