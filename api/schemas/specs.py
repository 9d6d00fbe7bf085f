"""Makes jobs' specs from the fields of forms: of requests, and of the steps of workflows. No request is needed here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from api.schemas.kinds.registry import forms
from stemsvc.accounts.webhooks import ENDS
from stemsvc.errors import BadWorkflow
from stemsvc.jobs.encoding import Encoding, check_formats
from stemsvc.jobs.filenames import check_template
from stemsvc.jobs.spec import Envelope, JobSpec
from stemsvc.jobs.titles import check_title_template
from stemsvc.workflows.plan import Draft

ENVELOPE = tuple(each.name for each in dataclasses.fields(Envelope))
ENCODING = tuple(each.name for each in dataclasses.fields(Encoding))
TRACK = ("file", "source")
NOT_OF_STEPS = (*TRACK, "webhook_url", "webhook_events", "metadata")  # a workflow has them, not its steps


def draft_spec(kind: str, form: dict[str, Any]) -> JobSpec:
    """The job's spec from the form's fields; its kind has still to check it. Raises `UsageError` for the formats."""
    envelope = {name: form[name] for name in ENVELOPE if name in form}
    if not envelope["webhook_url"]:
        envelope["webhook_events"] = ()
    elif not envelope["webhook_events"]:
        envelope["webhook_events"] = tuple(map(str, ENDS))
    params = {name: value for name, value in form.items() if name not in (*ENVELOPE, *ENCODING, *TRACK)}
    return JobSpec(kind, params, Envelope(**envelope), _encoding(form))


def _encoding(form: dict[str, Any]) -> Encoding:
    if "format" not in form:  # a kind that makes no audio
        return Encoding()
    return dataclasses.replace(
        check_formats(form["format"], form.get("formats", ()), form["bit_depth"] or None),
        sample_rate=form["sample_rate"],
        filename_template=check_template(form["filename_template"]),
        tags=form.get("tags", True),
        title_template=check_title_template(form.get("title_template", "")),
    )


def draft_step(draft: Draft, envelope: Mapping[str, Any]) -> JobSpec:
    """The spec of a step's job: its params are read as those of a request for a job of its kind are.

    `envelope` are fields that hold for every step that has none of its own. Raises `UsageError` `bad_workflow` with the
    path of a wrong field, and what `draft_spec` raises.
    """
    where, of = f"{draft.step.at}.with", forms()[draft.step.kind]
    if own := [name for name in draft.params if name in NOT_OF_STEPS]:
        raise BadWorkflow(f"{where}.{own[0]}: a step has no {own[0]} of its own")
    try:
        fields = of().load({**envelope, **draft.params})
    except ValidationError as error:
        raise BadWorkflow(f"{where}{_first(error.messages)}") from error
    return draft_spec(draft.step.kind, of.spread(fields, lambda made_of: draft.outputs[made_of]))


def _first(messages: Any) -> str:
    """The first of marshmallow's messages, after its path: `.tracks[0].pan: Not a valid number.`"""
    path = ""
    while isinstance(messages, dict) and messages:
        name, messages = next(iter(messages.items()))
        path += f"[{name}]" if isinstance(name, int) else f".{name}" if name != "_schema" else ""
    words = messages[0] if isinstance(messages, list) and messages else messages
    return f"{path}: {words}"
