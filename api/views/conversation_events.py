"""`/v1/conversations/{id}/events`: messages, plans and results of a conversation as server-sent events."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields

from api.edge.auth import caller
from api.edge.event_streams import event_text, follow_news, streamed
from api.schemas.answers import ProblemSchema
from api.schemas.conversations import ConversationSchema, MessageSchema
from api.services import services
from api.views.conversations import MISSING, body_of
from api.views.events import progress
from api.views.feed import validity
from stemsvc.accounts.keys import Scope
from stemsvc.assistants.chat.memory import remembered
from stemsvc.control.feeds import News
from stemsvc.control.present_conversation import message_bodies, standings
from stemsvc.control.services import Services
from stemsvc.errors import BadLastEventId, StemsvcError
from stemsvc.jobstore.conversations import LARGEST, Conversation

LOOK_SECONDS = 1.0  # the most after which a message of another client is told
WRITING_SECONDS = 0.2  # the same of words, while a reply is written
LAST = {
    "in": "header",
    "name": "Last-Event-ID",
    "schema": {"type": "string", "pattern": r"^\d{1,10}\.\d{1,10}$"},
    "description": "`id` of the last event you received; the stream goes on after it",
}
AFTER = {**LAST, "in": "query", "name": "after", "description": "what stands for a `Last-Event-ID` that can't be sent"}
EXAMPLE = (
    'retry: 2000\n\nid: 3.4\nevent: message\ndata: {"number": 4, "role": "assistant", "kind": "plan", "state": "open"}'
    '\n\nevent: conversation\ndata: {"id": "6f1e", "version": 1, "plan": 4}\n\n'
    'event: workflow\ndata: {"workflow_id": "5f0c", "state": "running", "progress": {"fraction": 0.4}}\n\n'
    'event: progress\ndata: {"workflow_id": "5f0c", "job_id": "a3c1", "step": "make", "fraction": 0.25}\n\n'
)
_ID = re.compile(r"(\d{1,10})\.(\d{1,10})", re.ASCII)

blueprint = Blueprint(
    "conversation_events", __name__, url_prefix="/v1/conversations", description="Follow a conversation"
)


class ConversationEventsQuery(Schema):
    """Where to start; `AFTER` describes it."""

    after = fields.String(load_default="")


@blueprint.route("/<string:conversation_id>/events")
@blueprint.arguments(ConversationEventsQuery, location="query")
@blueprint.doc(
    operationId="followConversation",
    parameters=[LAST, AFTER],
    tags=["conversations"],
    responses={
        "200": {
            "description": "the stream; it ends with the conversation",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
        }
    },
)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
@blueprint.alt_response(503, schema=ProblemSchema, description="too many streams are open")
def follow(query: dict[str, Any], conversation_id: str) -> Response:
    """Follow a conversation by server-sent events

    A `message` event is a new message, or one that has changed, such as a plan that was confirmed, or a reply whose
    words grow while it is `writing`; each has an `id`.
    The stream starts after `Last-Event-ID`, so that a client which reconnects misses none; without it, at the start. A
    `conversation` event says what its versions are and which plan waits. A `workflow` event says how what makes a
    version stands now: the last one has its end. `progress` events say how far a job has come. A comment every 15 s
    keeps the connection open. The stream ends with the conversation, or with the key or session that asked for it.
    """
    found = services().conversations.view(conversation_id, caller(Scope.READ).owner)
    place = _place(query["after"])
    return streamed(_Stream(services(), found, place, validity()).lines())


def _place(after: str) -> tuple[int, int]:
    given = request.headers.get("Last-Event-ID", "").strip() or after
    if not given:
        return 0, 0
    found = _ID.fullmatch(given)
    if found is None or max(int(found[1]), int(found[2])) > LARGEST:
        raise BadLastEventId("send the `id` of the last event you received")
    return int(found[1]), int(found[2])


class _Stream:
    """One client's stream of one conversation. Its state is what the client has been told."""

    def __init__(
        self, parts: Services, conversation: Conversation, place: tuple[int, int], valid: Callable[[], bool]
    ) -> None:
        self._parts = parts
        self._id, self._owner = conversation.id, conversation.owner
        self._place = place
        self._valid = valid
        self._revision: int | None = None  # that was told
        self._standing: dict[str, dict[str, Any]] = {}  # of each workflow, as it was told
        self._live: dict[str, dict[str, str | None]] = {}  # the jobs of each that goes on, with their steps
        self._shown: dict[str, dict[str, Any]] = {}  # progress, by job
        self._over = False
        self._conversation: dict[str, Any] = {}  # as it was told, without its place
        self._writing = False  # whether a reply grows

    def lines(self) -> Iterator[str]:
        """The stream as text, until the conversation, the process, the key or the session ends."""
        parts = self._parts
        return follow_news(parts.feeds, self._owner, self._valid, self._told, lambda: self._over, self._pause)

    def _pause(self) -> float:
        return WRITING_SECONDS if self._writing else LOOK_SECONDS

    def _told(self, news: News | None) -> Iterator[str]:
        """The events of what is new. They come from the job store: news only say when."""
        try:
            now = self._parts.conversations.current(self._id)
            if now is None:
                self._over = True
                yield event_text("deleted", {"conversation_id": self._id})
                return
            if now.revision != self._revision:
                yield from self._messages()
                body = ConversationSchema().dump(body_of(now, self._parts))
                self._standing = {each["workflow_id"]: {} for each in body["versions"]} | self._standing
                self._revision = now.revision
                self._writing = remembered(now.state).writing is not None
                if (told := {**body, "last_event_id": ""}) != self._conversation:  # not for each word
                    self._conversation = told
                    yield event_text("conversation", body)
            yield from self._workflows()
            if news is not None:
                yield from self._progress(news)
        except StemsvcError:
            pass  # the job store does not answer: the next round goes on from the same place

    def _messages(self) -> Iterator[str]:
        store = self._parts.store
        while changes := store.conversations.changes(self._id, *self._place):
            for message, body in zip(changes, message_bodies(store.workflows, changes), strict=True):
                self._place = (message.revision, message.number)
                if message.workflow_id:
                    self._standing.setdefault(message.workflow_id, {})
                place = f"{message.revision}.{message.number}"
                yield event_text("message", MessageSchema().dump(body), place)

    def _workflows(self) -> Iterator[str]:
        """How those stand that have not ended when it was told."""
        store = self._parts.store.workflows
        going = [
            workflow_id for workflow_id, told in self._standing.items() if told.get("state", "running") == "running"
        ]
        for workflow_id, told in standings(store, going).items() if going else ():
            if told != self._standing[workflow_id]:
                self._standing[workflow_id] = told
                yield event_text("workflow", told)
            if told["state"] != "running":
                self._live.pop(workflow_id, None)
            elif workflow_id not in self._live:
                self._live[workflow_id] = {job.id: job.step for job in store.jobs(workflow_id)}

    def _progress(self, news: News) -> Iterator[str]:
        for workflow_id, jobs in self._live.items():
            for job_id, step in jobs.items():
                if (snapshot := news.live.get(job_id)) is None:
                    continue
                own = {"workflow_id": workflow_id, "job_id": job_id, "step": step}
                told = {**own, **progress(snapshot), "attempt": snapshot.attempt}
                if self._shown.get(job_id) != told:
                    self._shown[job_id] = told
                    yield event_text("progress", told)
