"""`/v1/conversations`: words become workflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import Response, current_app, jsonify, url_for
from marshmallow import ValidationError

from api.edge import message_rates
from api.edge.auth import Caller, caller
from api.edge.bodies import BodyBlueprint
from api.edge.request_id import idempotency_key
from api.schemas.answers import ProblemSchema
from api.schemas.conversations import (
    ConfirmForm,
    ConversationExportSchema,
    ConversationForm,
    ConversationPageSchema,
    ConversationPatchForm,
    ConversationQuery,
    ConversationSchema,
    ExchangeSchema,
    ExportQuery,
    MessageForm,
    MessagePageSchema,
    MessageQuery,
)
from api.schemas.read import asked_by, read_source
from api.schemas.workflows import WorkflowForm
from api.services import services
from api.views.creating import IDEMPOTENCY_KEY, REPLAYED
from api.views.workflows import order_of, read_sources, spec_of
from stemsvc.accounts.keys import Scope
from stemsvc.assistants.chat.providers.talk import ToolSpec
from stemsvc.control.conversation_turn import Said
from stemsvc.control.conversations import Exchange
from stemsvc.control.present_conversation import as_markdown, conversation_body, conversation_summary, message_bodies
from stemsvc.control.services import Services
from stemsvc.control.workflows import Order
from stemsvc.errors import BadWorkflow
from stemsvc.jobstore.conversations import Conversation
from stemsvc.workflows.record import Workflow

blueprint = BodyBlueprint("conversations", __name__, url_prefix="/v1/conversations", description="Words become work")
MISSING = "no such conversation, or it is another key's"
Created = tuple[dict[str, Any], int, dict[str, str]]


@blueprint.route("", methods=["POST"])
@blueprint.arguments(ConversationForm, example={"name": "My beats"})
@blueprint.response(201, ConversationSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such upload or job to take a file of")
@blueprint.alt_response(409, schema=ProblemSchema, description="the job to take a file of has not succeeded")
@blueprint.alt_response(410, schema=ProblemSchema, description="the file to take of a job has been erased")
@blueprint.doc(operationId="createConversation")
def create(form: dict[str, Any]) -> Created:
    """Begin a conversation

    It needs the scope `submit`. A conversation is its key's alone.
    """
    who = caller(Scope.SUBMIT)
    made = services().conversations.create(who.owner, form["name"], form["auto_run"], _song(form["source"], who))
    return body_of(made), 201, {"Location": url_for("conversations.show", conversation_id=made.id)}


@blueprint.route("", methods=["GET"])
@blueprint.arguments(ConversationQuery, location="query")
@blueprint.response(200, ConversationPageSchema)
@blueprint.doc(operationId="listConversations")
def index(query: dict[str, Any]) -> dict[str, Any]:
    """List your conversations

    The one with the newest message comes first. `next_cursor` leads to the next page.
    """
    who = caller(Scope.READ)
    page = services().store.conversations.page(who.owner, query["q"], query["limit"], query["cursor"])
    return {"conversations": [conversation_summary(each) for each in page.conversations], "next_cursor": page.cursor}


@blueprint.route("/<string:conversation_id>")
@blueprint.response(200, ConversationSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
@blueprint.doc(operationId="getConversation")
def show(conversation_id: str) -> dict[str, Any]:
    """Show a conversation

    It has the versions that were made so far, and the plan that waits for a yes.
    """
    return body_of(services().conversations.view(conversation_id, caller(Scope.READ).owner))


@blueprint.route("/<string:conversation_id>", methods=["PATCH"])
@blueprint.arguments(ConversationPatchForm, example={"name": "Beats for Ada"})
@blueprint.response(200, ConversationSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
@blueprint.doc(operationId="changeConversation")
def change(form: dict[str, Any], conversation_id: str) -> dict[str, Any]:
    """Change a conversation

    It gets another name, or runs its plans at once from now on (`auto_run`).
    """
    owner = caller(Scope.SUBMIT).owner
    return body_of(services().conversations.change(conversation_id, owner, form["name"], form["auto_run"]))


@blueprint.route("/<string:conversation_id>", methods=["DELETE"])
@blueprint.response(204)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
@blueprint.doc(operationId="deleteConversation")
def delete(conversation_id: str) -> None:
    """Erase a conversation

    All of its messages are erased. The workflows that it made stay, and have a `DELETE` of their own.
    """
    services().conversations.erase(conversation_id, caller(Scope.SUBMIT).owner)


@blueprint.route("/<string:conversation_id>/messages", methods=["GET"])
@blueprint.arguments(MessageQuery, location="query")
@blueprint.response(200, MessagePageSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
@blueprint.doc(operationId="listMessages")
def messages(query: dict[str, Any], conversation_id: str) -> dict[str, Any]:
    """List messages

    The newest comes first. `next_cursor` leads to older ones.
    """
    services().conversations.view(conversation_id, caller(Scope.READ).owner)
    store = services().store
    page = store.conversations.messages(conversation_id, query["limit"], query["cursor"])
    return {"messages": message_bodies(store.workflows, page.messages), "next_cursor": page.cursor}


@blueprint.route("/<string:conversation_id>/messages", methods=["POST"])
@blueprint.arguments(MessageForm)
@blueprint.response(201, ExchangeSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
@blueprint.alt_response(409, schema=ProblemSchema, description="another message already used this `Idempotency-Key`")
@blueprint.alt_response(410, schema=ProblemSchema, description="the file to take of a job has been erased")
@blueprint.doc(operationId="sendMessage", parameters=[IDEMPOTENCY_KEY])
def say(form: dict[str, Any], conversation_id: str) -> Created:
    """Send a message

    It is understood over what was said before: by rules, or by the language models that the operator has chosen, see
    `providers`. Where it asks for work, the reply is a plan with what that takes: `confirm`, or a message that says
    yes, runs it. What is not understood is asked back, and nothing is done. The answer comes when the reply is
    whole; its words come by the conversation's events meanwhile. With the same `Idempotency-Key` a message that comes
    again gets the reply that it got.
    """
    who = _speaker()
    said = Said(form["text"], idempotency_key(), form["auto_run"], _song(form["source"], who))
    return _told(services().conversations.say(conversation_id, who.owner, said, _Making(who)))


@blueprint.route("/<string:conversation_id>/confirm", methods=["POST"])
@blueprint.arguments(ConfirmForm, example={"message": 2})
@blueprint.response(201, ExchangeSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such conversation or message")
@blueprint.alt_response(409, schema=ProblemSchema, description="the plan no longer waits for a yes")
@blueprint.doc(operationId="confirmPlan")
def confirm(form: dict[str, Any], conversation_id: str) -> Created:
    """Run a plan

    A plan that was confirmed before runs once: the answer is that of the first confirmation.
    """
    who = _speaker()
    return _told(services().conversations.confirm(conversation_id, who.owner, form["message"], _Making(who)))


@blueprint.route("/<string:conversation_id>/undo", methods=["POST"])
@blueprint.response(201, ExchangeSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
@blueprint.alt_response(409, schema=ProblemSchema, description="another message already used this `Idempotency-Key`")
@blueprint.doc(operationId="undoVersion", parameters=[IDEMPOTENCY_KEY])
def undo(conversation_id: str) -> Created:
    """Go a step back

    The plan that waits is dropped; where none waits, the version before is the current one again.
    """
    who = _speaker()
    return _told(services().conversations.undo(conversation_id, who.owner, idempotency_key(), _Making(who)))


@blueprint.route("/<string:conversation_id>/regenerate", methods=["POST"])
@blueprint.response(201, ExchangeSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
@blueprint.alt_response(409, schema=ProblemSchema, description="another message already used this `Idempotency-Key`")
@blueprint.doc(operationId="regenerate", parameters=[IDEMPOTENCY_KEY])
def regenerate(conversation_id: str) -> Created:
    """Make the piece once more

    The same piece is planned with another seed.
    """
    who = _speaker()
    return _told(services().conversations.regenerate(conversation_id, who.owner, idempotency_key(), _Making(who)))


@blueprint.route("/<string:conversation_id>/export")
@blueprint.arguments(ExportQuery, location="query")
@blueprint.response(200, ConversationExportSchema)
@blueprint.alt_response(404, schema=ProblemSchema, description=MISSING)
@blueprint.doc(operationId="exportConversation")
def export(query: dict[str, Any], conversation_id: str) -> Response | dict[str, Any]:
    """Export a conversation

    All of it, the oldest message first, as JSON; with `format=markdown` as a text.
    """
    found = services().conversations.view(conversation_id, caller(Scope.READ).owner)
    store = services().store
    every = store.conversations.all_messages(found.id)
    if query["format"] == "markdown":
        return Response(as_markdown(found, every), mimetype="text/markdown")
    body: Response = jsonify(
        ConversationExportSchema().dump({**body_of(found), "transcript": message_bodies(store.workflows, every)})
    )
    return body


def body_of(conversation: Conversation, parts: Services | None = None) -> dict[str, Any]:
    """The fields of `ConversationSchema`; a stream, which outlives its request, brings its `parts`."""
    last = f"{conversation.revision}.{conversation.messages}"
    return {**conversation_body(conversation, (parts or services()).conversations.providers), "last_event_id": last}


def _speaker() -> Caller:
    """Who sends this message. Raises `TransientError` `rate_limited` where it has sent too many."""
    who = caller(Scope.SUBMIT)
    message_rates.count()
    return who


def _song(source: dict[str, Any] | None, who: Caller) -> dict[str, Any] | None:
    """The source, if the caller may use it. Raises what `read_source` raises."""
    if source is not None:
        read_source(source, who)
    return source


def _told(exchange: Exchange) -> Created:
    found = message_bodies(services().store.workflows, [exchange.message, exchange.reply])
    body = {"message": found[0], "reply": found[1], "conversation": body_of(exchange.conversation)}
    headers = {"Location": url_for("conversations.messages", conversation_id=exchange.conversation.id)}
    return body, 201, headers | ({REPLAYED: "true"} if exchange.replayed else {})


class _Making:
    """Makes a caller's workflows of bodies of `POST /v1/workflows`; see `stemsvc.control.conversation_turn.Making`."""

    def __init__(self, who: Caller) -> None:
        self._who = who

    def tools(self) -> Sequence[ToolSpec]:
        found: Sequence[ToolSpec] = current_app.extensions["chat_tools"]()
        return found

    def plan(self, body: Mapping[str, Any]) -> dict[str, Any]:
        form, order = self._read(body)
        asked = asked_by(self._who, key=False)
        found = services().planner.plan(order, lambda step: spec_of(step, form), asked)
        return {**found, "currency": services().settings.currency}

    def start(self, body: Mapping[str, Any], key: str) -> Workflow:
        form, order = self._read(body)
        asked = replace(asked_by(self._who, key=False), idempotency_key=key)
        return services().workflows.accept(order, lambda step: spec_of(step, form), asked)

    def _read(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], Order]:
        try:
            form: dict[str, Any] = WorkflowForm().load(dict(body))
        except ValidationError as error:
            raise BadWorkflow(f"the plan can't be read: {error}") from error
        return form, order_of(form, read_sources(form, self._who))
