"""Makes a job's spec and source from what a client sent."""

from __future__ import annotations

import dataclasses
from typing import Any

from api.edge.auth import Caller
from api.edge.bodies import the_file
from api.edge.request_id import idempotency_key, request_id
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.accounts.webhooks import ENDS
from stemsvc.control.accept import Request
from stemsvc.control.sources import Link, Source
from stemsvc.jobs.encoding import Encoding, check_formats
from stemsvc.jobs.filenames import check_template
from stemsvc.jobs.spec import Envelope, JobSpec
from stemsvc.jobs.titles import check_title_template
from stemsvc.observe.traces import current_parent

ENVELOPE = tuple(each.name for each in dataclasses.fields(Envelope))
ENCODING = tuple(each.name for each in dataclasses.fields(Encoding))
TRACK = ("file", "source")


def read_spec(kind: str, form: dict[str, Any]) -> JobSpec:
    """The job's spec from the form's fields, checked by the kind and against the formats. Raises `UsageError`."""
    envelope = {name: form[name] for name in ENVELOPE if name in form}
    if not envelope["webhook_url"]:
        envelope["webhook_events"] = ()
    elif not envelope["webhook_events"]:
        envelope["webhook_events"] = tuple(map(str, ENDS))
    params = {name: value for name, value in form.items() if name not in (*ENVELOPE, *ENCODING, *TRACK)}
    spec = JobSpec(kind, params, Envelope(**envelope), _encoding(form))
    return services().acceptance.specify(spec)


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


def read_source(form: dict[str, Any], who: Caller) -> Source:
    """The form's source, or the request's file. Raises `UsageError`: `forbidden` if the key may not send URLs."""
    source = form["source"]
    if source is None:
        return the_file(services().settings.max_upload_bytes)
    if "url" in source:
        who.need(Scope.URL_SOURCE)
        return Link(source["url"])
    return services().uploads.find(source["upload_id"], who.sees)


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
