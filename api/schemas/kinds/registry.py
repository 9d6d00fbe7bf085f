"""The forms of the installed kinds."""

from __future__ import annotations

import functools
import pkgutil

from api.schemas.forms import KindForm
from stemsvc.kinds import registry


@functools.cache
def forms() -> dict[str, type[KindForm]]:
    """Each kind's form, by the kind's name."""
    return {name: pkgutil.resolve_name(kind.form) for name, kind in registry.installed().items()}
