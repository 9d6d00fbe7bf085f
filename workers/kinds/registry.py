"""The work of the installed kinds: loaded when a job first needs it, for it brings heavy libraries."""

from __future__ import annotations

import functools
import pkgutil

from stemsvc.errors import KindMissing
from stemsvc.kinds import registry
from workers.kinds.base import Work


@functools.cache
def work_of(kind: str) -> Work:
    """The function that does a kind's work. Raises `FatalError` `kind_missing` where its packages lack here."""
    found = registry.find(kind)
    if found is None:
        raise KindMissing(f"no package here has the kind {kind}")
    if lacking := found.lacking():
        raise KindMissing(f"{kind} needs {', '.join(lacking)}, which this worker lacks")
    work: Work = pkgutil.resolve_name(found.work)
    return work
