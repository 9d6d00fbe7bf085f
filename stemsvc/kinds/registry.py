"""The installed kinds, found by the entry points `stemsvc.kinds`: ours and those of packages that add one."""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from stemsvc.errors import KindMissing, UnknownKind, UnknownPool
from stemsvc.jobs.pools import Pool, find_pool, parse_pools
from stemsvc.jobs.record import Job
from stemsvc.kinds.base import Kind, Needs
from stemsvc.observe.loggers import get_logger

if TYPE_CHECKING:
    from stemsvc.models.catalog import Catalog

GROUP = "stemsvc.kinds"
AnyKind = Kind[Any]


@functools.cache
def installed() -> dict[str, AnyKind]:
    """Every kind by its name. A kind that can't be loaded is logged and left out: the others go on."""
    found: dict[str, AnyKind] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found[point.name] = _load(point)
        except Exception:
            get_logger().exception("a kind can't be loaded", kind=point.name, entry_point=point.value)
    return found


def broken() -> list[str]:
    """Names of kinds that are registered but can't be loaded."""
    return sorted({point.name for point in entry_points(group=GROUP)} - set(installed()))


def find(name: str) -> AnyKind | None:
    """The kind of that name; None where it is not installed here, or no longer."""
    return installed().get(name)


def get(name: str) -> AnyKind:
    """The kind of that name. Raises `UsageError` `unknown_kind`."""
    found = find(name)
    if found is None:
        raise UnknownKind(f"kind {name!r} is not one of {', '.join(installed())}")
    return found


def able() -> list[str]:
    """The kinds whose packages are installed here."""
    return [name for name, kind in installed().items() if not kind.lacking()]


def modelless() -> list[str]:
    """The kinds that need no model."""
    return [kind.name for kind in installed().values() if not kind.modelled]


@dataclass(frozen=True)
class Resolved:
    """A job's kind, its params as its pool runs them, the pool, and what the job needs."""

    kind: AnyKind
    params: Any
    pool: Pool
    needs: Needs

    def work(self) -> Any:
        """The function that does the work; its import loads heavy libraries. Raises `FatalError` `kind_missing`."""
        if lacking := self.kind.lacking():
            raise KindMissing(f"{self.kind.name} needs {', '.join(lacking)}, which this worker lacks")
        return pkgutil.resolve_name(self.kind.work)

    def cost(self, seconds: float, catalog: Catalog) -> float:
        """Its predicted cost in seconds, for a track of `seconds`."""
        return self.kind.cost(self.params, seconds, catalog)


def resolve(job: Job, pools: Sequence[Pool], catalog: Catalog) -> Resolved:
    """All that a worker must know of a job before it begins.

    Raises `UsageError` `unknown_model`, `FatalError` `kind_missing` or `unknown_pool`.
    """
    kind, pool = find(job.kind), find_pool(pools, job.pool, modelless())
    if kind is None:
        raise KindMissing(f"no package here has the kind {job.kind}")
    if pool is None:
        raise UnknownPool(f"this worker's settings name no pool {job.pool}")
    params = kind.on_pool(kind.read(job.params), pool.precision)
    return Resolved(kind, params, pool, kind.needs(params, catalog))


def configured_pools(text: str, catalog: Catalog) -> list[Pool]:
    """The pools that `STEMSVC_POOLS` names. Raises `UsageError` `bad_pools`."""
    return parse_pools(text, catalog.names, modelless())


def _load(point: EntryPoint) -> AnyKind:
    kind = point.load()
    if not isinstance(kind, Kind) or kind.name != point.name:
        raise TypeError(f"{point.value} is not a Kind named {point.name}")
    return kind
