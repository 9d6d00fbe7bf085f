"""`/v1/events`: the timelines and the progress of all the caller's jobs, as one stream of server-sent events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields
from werkzeug.exceptions import Unauthorized

from api.edge import cookies
from api.edge.auth import caller, doorkeeper
from api.edge.event_streams import event_text, follow_news, streamed
from api.schemas.answers import ProblemSchema
from api.schemas.fields import MomentField
from api.schemas.jobs import JobSummarySchema
from api.services import services
from api.views.events import move, progress
from stemsvc.accounts.keys import Scope
from stemsvc.control.feeds import News
from stemsvc.control.present import summary
from stemsvc.control.present_workflow import is_news, workflow_event
from stemsvc.control.services import Services
from stemsvc.errors import BadLastEventId, Forbidden, StemsvcError
from stemsvc.jobstore.feed import Owners, Place
from stemsvc.jobstore.snapshots import Snapshot

BEFORE_MS = 60_000  # who lists jobs and then follows them misses nothing between the two
CHECK_SECONDS = 5.0  # for so long a stream may outlive its key or session
LAST = {
    "in": "header",
    "name": "Last-Event-ID",
    "schema": {"type": "string", "maxLength": 4000},
    "description": "`id` of the last event you received; the stream goes on after it",
}
QUERY = [
    {
        "in": "query",
        "name": "all",
        "schema": {"type": "boolean"},
        "description": "true: everyone's jobs, for a key with the scope `admin`; by default false",
    },
    {
        "in": "query",
        "name": "since",
        "schema": {"type": "string", "format": "date-time"},
        "description": "where to start without `Last-Event-ID`; by default a minute ago",
    },
]
EXAMPLE = (
    'retry: 2000\n\nid: 1793440000123-7.0\nevent: state\ndata: {"job_id": "0f8fad5bd9cb469fa16570867728950e", '
    '"from": "queued", "to": "running", "attempt": 1, "job": {"state": "running"}}\n\n'
    'event: progress\ndata: {"job_id": "0f8fad5bd9cb469fa16570867728950e", "fraction": 0.25, "stage": "separating", '
    '"eta_seconds": 9.1, "attempt": 1}\n\n'
)


class FeedQuery(Schema):
    """Which jobs to follow, and from when on; `QUERY` describes it."""

    all = fields.Boolean(load_default=False)
    since = MomentField(load_default=None)


blueprint = Blueprint("feed", __name__, url_prefix="/v1/events", description="Follow all jobs by one stream")


@blueprint.route("")
@blueprint.arguments(FeedQuery, location="query")
@blueprint.doc(
    parameters=[LAST, *QUERY],  # those of the schema would give way to the header
    responses={
        "200": {
            "description": "the stream; it has no end",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
        }
    },
)
@blueprint.alt_response(403, schema=ProblemSchema, description="`all` needs the scope `admin`")
@blueprint.alt_response(503, schema=ProblemSchema, description="too many streams are open")
def follow(query: dict[str, Any]) -> Response:
    """Follow all your jobs by server-sent events

    A `state` event is an entry of a job's timeline, with the job's summary. A `progress` event says how far a queued or
    running job has come; each such job has one when the stream starts. A `workflow` event says how a workflow stands
    now; it has no `id`, and comes before the `state` events of its jobs that it counts. A `deleted` event says that a
    queued or running job was deleted. The stream starts after `Last-Event-ID`, so that a client which reconnects misses
    none; without it, at `since`, and without that a minute ago. A comment every 15 s keeps the connection open. The
    stream ends with the key or session that asked for it.
    """
    who = caller(Scope.READ)
    if query["all"] and who.sees is not None:
        raise Forbidden("`all` needs the scope `admin`")
    place = _place(query["since"])
    return streamed(_Stream(services(), None if query["all"] else who.owner, place, validity()).lines())


def _place(since: float | None) -> Place:
    given = request.headers.get("Last-Event-ID", "").strip()
    if given:
        try:
            return Place.parse(given)
        except ValueError:
            raise BadLastEventId("send the `id` of the last event you received") from None
    if since is not None:
        return Place(int(since * 1000))
    return Place(max(0, services().store.feed.now().at - BEFORE_MS))


def validity() -> Callable[[], bool]:
    """Says whether this request's caller might still make it."""
    keeper, header, token = doorkeeper(), request.headers.get("Authorization"), cookies.token()
    key = caller(Scope.READ).key

    def valid() -> bool:
        try:
            now = keeper.caller(header, token)
        except Unauthorized:
            return False
        except StemsvcError:  # the job store does not answer: the stream stays open
            return True
        return (now.key.id if now.key else None) == (key.id if key else None)

    return valid


class _Stream:
    """One client's stream. Its state is what the client has been told."""

    def __init__(self, parts: Services, owner: str | None, place: Place, valid: Callable[[], bool]) -> None:
        self._parts = parts
        self._owner = owner
        self._owners: Owners = None if owner is None else (owner,)
        self._place = place
        self._valid = valid
        self._shown: dict[str, dict[str, Any]] = {}  # progress, by job
        self._workflows: dict[str, dict[str, Any]] = {}  # what was told of each, while it goes on
        self._ended: set[str] = set()  # jobs that a look from before their end may still call live
        self._live: Mapping[str, Snapshot] | None = None  # of the last news; None: told
        self._behind = True  # there may be entries after the place

    def lines(self) -> Iterator[str]:
        """The stream as text, until the process, the key or the session ends."""
        parts = self._parts
        return follow_news(parts.feeds, self._owner, self._valid, self._told, lambda: False, CHECK_SECONDS)

    def _told(self, news: News | None) -> Iterator[str]:
        """The events of what is new. They come from the job store: news only say when."""
        if news is not None:
            self._live, self._behind = news.live, self._behind or news.moved
        try:
            yield from self._moves()
            yield from self._progress()
        except StemsvcError:
            pass  # the job store does not answer: the next round goes on from the same place

    def _moves(self) -> Iterator[str]:
        while self._behind:
            entries = self._parts.store.feed.after(self._place, self._owners)
            yield from self._workflow_events({entry.job.workflow_id for entry in entries if entry.job.workflow_id})
            for entry in entries:
                self._place = entry.place
                if entry.job.finished:
                    self._ended.add(entry.job.id)
                    self._shown.pop(entry.job.id, None)
                job = JobSummarySchema().dump(summary(entry.job, self._parts.retention))
                data = {**move(entry.event, entry.job), "kind": entry.job.kind, "job": job}
                yield event_text("state", data, entry.place)
            self._behind = bool(entries)

    def _workflow_events(self, workflow_ids: set[str]) -> Iterator[str]:
        """How these workflows stand. Who has got a job's entry has got this: the entries come after it."""
        store = self._parts.store.workflows
        for standing in store.standings(workflow_ids) if workflow_ids else ():
            told = workflow_event(standing)
            if is_news(told, self._workflows.get(standing.workflow.id, {})):
                self._workflows[standing.workflow.id] = told
                yield event_text("workflow", told)
            if standing.workflow.ended_at is not None:
                self._workflows.pop(standing.workflow.id, None)

    def _progress(self) -> Iterator[str]:
        if (live := self._live) is None:
            return
        for job_id, snapshot in live.items():
            told = {"job_id": job_id, **progress(snapshot), "attempt": snapshot.attempt}
            if job_id not in self._ended and self._shown.get(job_id) != told:
                self._shown[job_id] = told
                yield event_text("progress", told)
        for job_id in self._shown.keys() - live.keys():
            deleted = self._parts.store.get(job_id) is None
            del self._shown[job_id]
            if deleted:
                yield event_text("deleted", {"job_id": job_id})
        self._ended &= live.keys()
        self._live = None
