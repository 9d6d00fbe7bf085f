"""The installed kinds, by the entry points `stemsvc.kinds`: ours and those of packages that add one."""

from __future__ import annotations

import functools
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import structlog

from stemsvc.errors import UnknownKind
from stemsvc.jobs.pools import Pool, parse_pools
from stemsvc.kinds.base import Kind
from stemsvc.models.catalog import Catalog

log = structlog.get_logger()
GROUP = "stemsvc.kinds"
AnyKind = Kind[Any]


@functools.cache
def installed() -> dict[str, AnyKind]:
    """Every kind by its name. One that can't be loaded is left out and logged: the others go on."""
    found: dict[str, AnyKind] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found[point.name] = _load(point)
        except Exception:
            log.exception("a kind can't be loaded", kind=point.name, entry_point=point.value)
    return found


def broken() -> list[str]:
    """Names of kinds that are registered and can't be loaded."""
    return sorted({point.name for point in entry_points(group=GROUP)} - set(installed()))


def find(name: str) -> AnyKind | None:
    """The kind of that name; None where it is not installed here (any more)."""
    return installed().get(name)


def get(name: str) -> AnyKind:
    """The kind of that name. Raises `UsageError` `unknown_kind`."""
    found = find(name)
    if found is None:
        raise UnknownKind(f"kind {name!r} is none of {', '.join(installed())}")
    return found


def configured_pools(text: str, catalog: Catalog) -> list[Pool]:
    """The pools that `STEMSVC_POOLS` names. Raises `UsageError` `bad_pools`."""
    return parse_pools(text, catalog.names, [kind.name for kind in installed().values() if not kind.modelled])


def _load(point: EntryPoint) -> AnyKind:
    kind = point.load()
    if not isinstance(kind, Kind) or kind.name != point.name:
        raise TypeError(f"{point.value} is no Kind named {point.name}")
    return kind
