"""`/v1/jobs/{id}/events`: a job's timeline and progress as server-sent events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from api.edge.auth import caller
from api.edge.event_streams import ALIVE, BEGIN, HEARTBEAT_SECONDS, event_text, streamed
from api.schemas.answers import ProblemSchema
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.control.present import eta, timeline_entry
from stemsvc.control.services import Services
from stemsvc.errors import BadLastEventId, StemsvcError
from stemsvc.jobs.record import LIVE, Event, Job, JobView
from stemsvc.jobstore.snapshots import Snapshot

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
    return streamed(_events(services(), job_id, last))


def _last_event() -> int:
    given = request.headers.get("Last-Event-ID", "").strip()
    if given and not _ID.fullmatch(given):
        raise BadLastEventId("send the `id` of the last event you received")
    return int(given or 0)


def _events(parts: Services, job_id: str, last: int) -> Iterator[str]:
    """All events after event `last`, up to the job's end. They come from the job store; a change only says when."""
    yield BEGIN
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
                    told, live = progress(view.job), view.job.state in LIVE
                else:
                    told, live = progress(snapshot), snapshot.state in LIVE
            except StemsvcError:
                told, live = shown, True  # the job store does not answer: the stream stays open
            if told != shown:
                shown = told
                yield event_text("progress", told)
            if not live:
                break
            try:
                snapshot = follower.wait(HEARTBEAT_SECONDS)
            except LookupError:
                break
            while snapshot is None:
                yield ALIVE
                try:
                    snapshot = follower.wait(HEARTBEAT_SECONDS)
                except LookupError:
                    return


def _moves(view: JobView, last: int) -> Iterator[str]:
    for event in view.timeline:
        if event.id > last:
            yield event_text("state", move(event, view.job), event.id)


def move(event: Event, job: Job) -> dict[str, Any]:
    """What a `state` event says of an entry of a job's timeline."""
    facts = timeline_entry(event)
    of_workflow = {"workflow_id": job.workflow_id, "step": job.step} if job.workflow_id else {}
    return {
        "job_id": job.id,
        "from": facts["from_state"],
        "to": facts["to_state"],
        "why": facts["why"],
        "worker": facts["worker"],
        "at": facts["at"].isoformat(),
        "attempt": job.attempt,
        **of_workflow,
    }


def progress(job: Job | Snapshot) -> dict[str, Any]:
    """The progress of a job, or of a snapshot of one."""
    left = eta(job.state, job.fraction, job.expected_at)
    return {"fraction": round(job.fraction, 4), "stage": job.stage, "eta_seconds": left}
