"""`/v1/jobs/{id}/events`: a job's timeline and progress as server-sent events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from api.edge.auth import caller
from api.edge.concurrency import gate
from api.schemas.answers import ProblemSchema
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.control.present import eta, timeline_entry
from stemsvc.control.services import Services
from stemsvc.errors import BadLastEventId, StemsvcError
from stemsvc.jobs.record import LIVE, JobView
from stemsvc.jobstore.snapshots import Snapshot

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2000  # how soon a client that was cut off reconnects
LAST = {
    "in": "header",
    "name": "Last-Event-ID",
    "schema": {"type": "string", "pattern": r"^\d{1,18}$"},
    "description": "`id` of the last event you received; the stream starts after it",
}
EXAMPLE = (
    'retry: 2000\n\nid: 7\nevent: state\ndata: {"from": "queued", "to": "running", "attempt": 1}\n\n'
    'event: progress\ndata: {"fraction": 0.25, "stage": "separating", "eta_seconds": 9.1}\n\n'
)
_ID = re.compile(r"\d{1,18}", re.ASCII)

blueprint = Blueprint("events", __name__, url_prefix="/v1/jobs", description="Follow jobs without polling")


@blueprint.route("/<string:job_id>/events")
@blueprint.doc(
    parameters=[LAST],
    responses={
        "200": {
            "description": "the stream; it ends with the job",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
        }
    },
)
@blueprint.alt_response(204, description="the job has ended, and there is no event after `Last-Event-ID`")
@blueprint.alt_response(503, schema=ProblemSchema, description="too many streams are open")
def follow(job_id: str) -> Response:
    """Follow a job by server-sent events

    `state` events are the entries of the job's timeline, each with an `id`. The stream starts after `Last-Event-ID`,
    so that a client which reconnects misses none. `progress` events come as the job advances. A comment every 15 s
    keeps the connection open. The stream ends with the job.
    """
    view = services().acceptance.view(job_id, caller(Scope.READ).sees)
    last = _last_event()
    if view.job.finished and view.timeline and last >= view.timeline[-1].id:
        return Response(status=204)  # keeps browsers from reconnecting
    held = gate().hold_stream()
    response = Response(_events(services(), job_id, last), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
    response.call_on_close(held.release)
    return response


def _last_event() -> int:
    given = request.headers.get("Last-Event-ID", "").strip()
    if given and not _ID.fullmatch(given):
        raise BadLastEventId("send the `id` of the last event you received")
    return int(given or 0)


def _events(parts: Services, job_id: str, last: int) -> Iterator[str]:
    """All events after event `last`, up to the job's end. They come from the job store; a change only says when."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    shown: dict[str, Any] = {}
    with parts.watch.follow(job_id) as follower:
        snapshot: Snapshot | None = None
        while True:
            try:
                if snapshot is None or snapshot.last_event > last:
                    view = parts.store.view(job_id)
                    if view is None:
                        break
                    yield from _moves(view, last)
                    last = max([last, *(event.id for event in view.timeline)])
                    progress, live = _progress(view.job), view.job.state in LIVE
                else:
                    progress, live = _progress(snapshot), snapshot.state in LIVE
            except StemsvcError:
                progress, live = shown, True  # the job store does not answer: the stream stays open
            if progress != shown:
                shown = progress
                yield f"event: progress\ndata: {json.dumps(progress)}\n\n"
            if not live:
                break
            try:
                snapshot = follower.wait(HEARTBEAT_SECONDS)
            except LookupError:
                break
            while snapshot is None:
                yield ": here\n\n"
                try:
                    snapshot = follower.wait(HEARTBEAT_SECONDS)
                except LookupError:
                    return


def _moves(view: JobView, last: int) -> Iterator[str]:
    for event in view.timeline:
        if event.id > last:
            facts = timeline_entry(event)
            data = {
                "job_id": view.job.id,
                "from": facts["from_state"],
                "to": facts["to_state"],
                "why": facts["why"],
                "worker": facts["worker"],
                "at": facts["at"].isoformat(),
                "attempt": view.job.attempt,
            }
            yield f"id: {event.id}\nevent: state\ndata: {json.dumps(data)}\n\n"


def _progress(job: Any) -> dict[str, Any]:
    """The progress of a job, or of a snapshot of one."""
    left = eta(job.state, job.fraction, job.expected_at)
    return {"fraction": round(job.fraction, 4), "stage": job.stage, "eta_seconds": left}
