"""`/v1/workflows/{id}/events`: what happens to a workflow's jobs as server-sent events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from api.edge.auth import caller
from api.edge.event_streams import event_text, follow_news, streamed
from api.schemas.answers import ProblemSchema
from api.services import services
from api.views.events import move, progress
from api.views.feed import CHECK_SECONDS, LAST, validity
from stemsvc.accounts.keys import Scope
from stemsvc.control.feeds import News
from stemsvc.control.present_workflow import is_news, workflow_event
from stemsvc.control.services import Services
from stemsvc.errors import BadLastEventId, StemsvcError
from stemsvc.jobstore.feed import Place
from stemsvc.workflows.record import Workflow, WorkflowState

EXAMPLE = (
    'retry: 2000\n\nevent: workflow\ndata: {"workflow_id": "5f0c", "state": "running", "progress": {"fraction": 0.4, '
    '"jobs": 2, "ended": 1, "eta_seconds": 9.1}}\n\n'
    'id: 1793440000123-7.0\nevent: state\ndata: {"job_id": "0f8f", "step": "split", "from": "running", '
    '"to": "succeeded"}\n\n'
    'event: progress\ndata: {"job_id": "a3c1", "step": "again", "fraction": 0.25, "stage": "separating"}\n\n'
)

blueprint = Blueprint("workflow_events", __name__, url_prefix="/v1/workflows", description="Several jobs as one")


@blueprint.route("/<string:workflow_id>/events")
@blueprint.doc(
    operationId="followWorkflow",
    parameters=[LAST],
    tags=["workflows"],
    responses={
        "200": {
            "description": "the stream; it ends with the workflow",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
        }
    },
)
@blueprint.alt_response(204, description="the workflow has ended, and there is no event after `Last-Event-ID`")
@blueprint.alt_response(404, schema=ProblemSchema, description="no such workflow, or it is another key's")
@blueprint.alt_response(503, schema=ProblemSchema, description="too many streams are open")
def follow(workflow_id: str) -> Response:
    """Follow a workflow by server-sent events

    `state` events are the entries of the decision log, each with an `id`, its job and its step. The stream starts after
    `Last-Event-ID`, so that a client which reconnects misses none; without it, at the beginning. A `workflow` event
    says how the whole stands now; the last one comes before the last `state` event. `progress` events say how far a
    job has come. A comment every 15 s keeps the connection open. The stream ends with the workflow, or with the key or
    session that asked for it.
    """
    workflow = services().workflows.view(workflow_id, caller(Scope.READ).sees)
    place = _place()
    if workflow.state is not WorkflowState.RUNNING and not services().store.feed.after(place, None, workflow_id):
        return Response(status=204)  # keeps browsers from reconnecting
    return streamed(_Stream(services(), workflow, place, validity()).lines())


def _place() -> Place:
    given = request.headers.get("Last-Event-ID", "").strip()
    try:
        return Place.parse(given) if given else Place(0)
    except ValueError:
        raise BadLastEventId("send the `id` of the last event you received") from None


class _Stream:
    """One client's stream of one workflow. Its state is what the client has been told."""

    def __init__(self, parts: Services, workflow: Workflow, place: Place, valid: Callable[[], bool]) -> None:
        self._parts = parts
        self._id, self._owner = workflow.id, workflow.owner
        self._place = place
        self._valid = valid
        self._whole: dict[str, Any] = {}  # the last `workflow` event
        self._jobs = {job.id: job.step for job in parts.store.workflows.jobs(workflow.id)}
        self._shown: dict[str, dict[str, Any]] = {}  # progress, by job
        self._over = False

    def lines(self) -> Iterator[str]:
        """The stream as text, until the workflow, the process, the key or the session ends."""
        parts = self._parts
        return follow_news(parts.feeds, self._owner, self._valid, self._told, lambda: self._over, CHECK_SECONDS)

    def _told(self, news: News | None) -> Iterator[str]:
        """The events of what is new. They come from the job store: news only say when."""
        try:
            yield from self._moves()
            if news is not None and not self._over:
                yield from self._progress(news)
        except StemsvcError:
            pass  # the job store does not answer: the next round goes on from the same place

    def _moves(self) -> Iterator[str]:
        store = self._parts.store
        # how it stands is read before the entries: of a workflow that has ended all of them are there then
        found = store.workflows.standings([self._id])
        if not found:
            self._over = True
            yield event_text("deleted", {"workflow_id": self._id})
            return
        told = workflow_event(found[0])
        if is_news(told, self._whole):
            self._whole = told
            yield event_text("workflow", told)
        while entries := store.feed.after(self._place, None, self._id):
            for entry in entries:
                self._place = entry.place
                if entry.job.finished:
                    self._shown.pop(entry.job.id, None)
                yield event_text("state", move(entry.event, entry.job), entry.place)
        self._over = found[0].workflow.state is not WorkflowState.RUNNING

    def _progress(self, news: News) -> Iterator[str]:
        for job_id, step in self._jobs.items():
            if (snapshot := news.live.get(job_id)) is None:
                continue
            told = {"job_id": job_id, "step": step, **progress(snapshot), "attempt": snapshot.attempt}
            if self._shown.get(job_id) != told:
                self._shown[job_id] = told
                yield event_text("progress", told)
