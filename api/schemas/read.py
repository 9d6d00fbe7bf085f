"""From what a client sent to what a job is asked to do."""

from __future__ import annotations

from typing import Any

from api.edge.auth import Caller
from api.edge.bodies import the_file
from api.edge.request_id import idempotency_key, request_id
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.accounts.webhooks import ENDS
from stemsvc.control.accept import Request
from stemsvc.control.sources import Link, Source
from stemsvc.jobs.filenames import check_template
from stemsvc.jobs.record import JobOptions, check_encoding
from stemsvc.kinds.separate import stems
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.observe.traces import current_parent

SEPARATION = ("overlap", "shifts", "seed", "segment", "precision")


def read_options(form: dict[str, Any]) -> JobOptions:
    """The form's fields, checked against the catalog and the formats. Raises `UsageError`."""
    entry = services().catalog.get(form["model"] or services().settings.default_model)
    separation = SeparationOptions(*(form[name] for name in SEPARATION))
    separation.check(entry.segment_seconds)
    events = form["webhook_events"] or tuple(map(str, ENDS))
    return JobOptions(
        model=entry.name,
        device=form["device"],
        stems=stems.choose(form["stems"], entry.stems, form["residual"]),
        format=form["format"],
        bit_depth=check_encoding(form["format"], form["bit_depth"] or None),
        residual=form["residual"],
        filename_template=check_template(form["filename_template"]),
        metadata=form["metadata"],
        sample_rate=form["sample_rate"],
        webhook_url=form["webhook_url"],
        webhook_events=events if form["webhook_url"] else (),
        priority=form["priority"],
        cache=form["cache"],
        separation=separation,
    )


def read_source(form: dict[str, Any], who: Caller) -> Source:
    """The form's source, or the request's file. Raises `UsageError`, `forbidden` for a URL without the scope."""
    source = form["source"]
    if source is None:
        return the_file(services().settings.max_upload_bytes)
    if "url" in source:
        who.need(Scope.URL_SOURCE)
        return Link(source["url"])
    return services().reception.uploaded(source["upload_id"], who.sees)


def asked_by(who: Caller, *, key: bool = True) -> Request:
    """Who asks, and by which name of its own for this request."""
    limits = (who.key.max_waiting, who.key.minutes_per_day) if who.key else (None, None)
    return Request(request_id(), who.owner, idempotency_key() if key else None, current_parent(), *limits)
