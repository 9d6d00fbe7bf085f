"""Which model an attempt takes: the job's, or its fallback where that model can't be had here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from stemsvc.jobs.record import Job
from stemsvc.kinds.base import Kind
from stemsvc.kinds.registry import Resolved
from stemsvc.models.catalog import Catalog
from stemsvc.observe.loggers import get_logger
from workers.host.models import Models

log = get_logger()
Report = Callable[[str, int, int], None]
P = TypeVar("P")


@dataclass(frozen=True)
class Settled:
    """What the attempt does. Where it took the fallback: the params that the row gets, and a warning."""

    of: Resolved
    params: dict[str, Any] | None = None
    warning: str = ""


def settle(job: Job, of: Resolved, catalog: Catalog, models: Models, report: Report) -> Settled:
    """Fetch the job's model where it is missing, or take its fallback; a job without a fallback stays as it is.

    `report` gets the stage `downloading` with bytes; what it raises passes.
    """
    instead = of.kind.fallback(of.params, catalog)
    if instead is None or of.needs.model is None:
        return Settled(of)
    served = of.pool.serves(of.kind.name, of.needs.model)
    why = _lacking(of.needs.model, catalog, models, report) if served else f"no worker serves {of.needs.model}"
    if why is None:
        return Settled(of)
    needs = of.kind.needs(instead, catalog)
    params = of.kind.stored(of.kind.fallback(of.kind.read(job.params), catalog))  # without what the pool decided
    return Settled(replace(of, params=instead, needs=needs), params, _warning(needs.model or "", why))


def settle_here(kind: Kind[P], params: P, catalog: Catalog, models: Models, report: Report) -> tuple[P, str]:
    """The same for work without a job: its params, and a warning or nothing."""
    instead, model = kind.fallback(params, catalog), kind.needs(params, catalog).model
    why = _lacking(model, catalog, models, report) if instead is not None and model is not None else None
    if instead is None or why is None:
        return params, ""
    return instead, _warning(kind.needs(instead, catalog).model or "", why)


def _lacking(model: str, catalog: Catalog, models: Models, report: Report) -> str | None:
    why = models.lacking(catalog.get(model), lambda done, total: report("downloading", done, total or 0))
    if why is not None:
        log.warning("taking the fallback", model=model, why=why)
    return why


def _warning(taken: str, why: str) -> str:
    return (
        f"the model {taken} made this, which is for trying stemsvc out and weak on real songs, because the usual model "
        f"can't be had: {why}"
    )
