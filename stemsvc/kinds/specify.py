"""Lets a job's kind check what was asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stemsvc.errors import BadInputs
from stemsvc.jobs.encoding import check_number
from stemsvc.jobs.spec import JobSpec
from stemsvc.kinds import registry
from stemsvc.kinds.base import Role

if TYPE_CHECKING:
    from stemsvc.models.catalog import Catalog


ASKED = "asked"  # among what a spec keeps: what the client asked for, where its kind chose the model


def specify(spec: JobSpec, roles: Sequence[str], catalog: Catalog) -> JobSpec:
    """The spec; its kind chooses the model and fills in what the client left open. `roles` are those of its inputs.

    Raises `UsageError` for what can't be done.
    """
    kind = registry.get(spec.kind)
    for role in kind.roles:
        count = list(roles).count(role.name)
        if not role.least <= count <= role.most:
            raise BadInputs(f"{spec.kind} takes {_amount(role)} of the role {role.name}, not {count}")
    if unknown := set(roles) - {role.name for role in kind.roles}:
        raise BadInputs(f"{spec.kind} has no role {min(unknown)}")
    asked = kind.read(spec.params)
    params = kind.check(kind.choose(asked, catalog, spec.envelope.device), roles, catalog)
    check_number(len(kind.outputs(params)), spec.encoding)
    more = kind.mirrored(params)
    if kind.chosen(params):  # another time the choice may be another one, and the request is still the same
        more[ASKED] = spec.more.get(ASKED) or kind.mirrored(asked)
    return replace(spec, params=kind.stored(params), more=more)


def _amount(role: Role) -> str:
    return f"{role.least}" if role.least == role.most else f"{role.least} to {role.most}"
