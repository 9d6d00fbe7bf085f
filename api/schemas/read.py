"""Makes a job's spec and source from what a client sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from api.edge.auth import Caller
from api.edge.bodies import check_parts, the_file
from api.edge.request_id import idempotency_key, request_id
from api.schemas.forms import KindForm, SourceFields
from api.schemas.specs import draft_spec
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.control.accept import Request
from stemsvc.control.sources import Link, Source
from stemsvc.jobs.spec import JobSpec
from stemsvc.kinds import registry
from stemsvc.observe.traces import current_parent


def read_spec(kind: str, form: dict[str, Any], roles: Sequence[str] = ("source",)) -> JobSpec:
    """The job's spec from the form's fields, checked by the kind and against the formats. Raises `UsageError`.

    `roles` are those of its inputs.
    """
    return services().acceptance.specify(draft_spec(kind, form), roles)


def read_inputs(
    kind: str, of: type[KindForm], form: dict[str, Any], who: Caller
) -> tuple[dict[str, Any], list[Source]]:
    """The form's fields, with whole jobs spread out, and the job's sources. Raises what `read_source` raises."""
    form = of.spread(form, lambda job_id: services().outputs.names(job_id, who.sees))
    many = {role.name for role in registry.get(kind).roles if role.most > 1}
    asked = of.sources(form)
    sources = [each for role, source in asked for each in read_source(source, who, role, role in many)]
    if of.several:
        check_parts({"file" if source is None else source.get("file", "") for _, source in asked})
    return form, sources


def read_source(source: SourceFields, who: Caller, role: str = "source", several: bool = False) -> list[Source]:
    """What a form's source names, as one input of that role or as `several`; None is the request's file.

    Raises `UsageError`: `forbidden` if the key may not send URLs, and what uploads, jobs and files say.
    """
    most_bytes = services().settings.max_upload_bytes
    if source is None:
        return [the_file(most_bytes, role=role)]
    if "file" in source:
        return [the_file(most_bytes, source["file"], role)]
    if "url" in source:
        who.need(Scope.URL_SOURCE)
        return [Link(source["url"], role=role)]
    if "job_id" in source:
        return [*services().outputs.find(source["job_id"], source.get("output"), who.sees, role, several)]
    return [dataclasses.replace(services().uploads.ready(source["upload_id"], who.sees), role=role)]


def asked_by(who: Caller, *, key: bool = True) -> Request:
    """Who asks: the key's id and limits, and the client's own name for this request unless `key` is false."""
    asked = Request(request_id(), who.owner, idempotency_key() if key else None, current_parent())
    if who.key is None:
        return asked
    return dataclasses.replace(
        asked,
        max_waiting=who.key.max_waiting,
        minutes_per_day=who.key.minutes_per_day,
        max_stored_bytes=who.key.max_stored_bytes,
        max_priority=who.key.highest,
    )
