"""Conversations: what clients send and get."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates

from api.edge.plain_json import is_plain
from api.schemas.fields import UNPLAIN, JsonNested, TypedSchema
from api.schemas.forms import MOST_SEARCHED, SourceForm
from api.schemas.plans import PlanSchema
from api.schemas.workflows import StepErrorSchema, WorkflowProgressSchema
from stemsvc.assistants.chat.intents import Intent
from stemsvc.assistants.chat.providers.provider import RULES
from stemsvc.settings import CHAT_PROVIDERS
from stemsvc.workflows.record import WorkflowState

MOST_TEXT, MOST_NAME = 1000, 200
KINDS = ("text", "question", "plan", "problem")
STATES = ("open", "confirmed", "rejected", "replaced")


class ConversationForm(TypedSchema):
    """A new conversation."""

    name = fields.String(
        load_default="",
        validate=validate.Length(0, MOST_NAME),
        metadata={"description": "without it, the first message names it"},
    )
    auto_run = fields.Boolean(
        load_default=False, metadata={"description": "run each plan at once, without waiting for a yes"}
    )
    source = JsonNested(SourceForm, load_default=None, metadata={"description": "the song to speak of"})


class ConversationPatchForm(TypedSchema):
    """What to change in a conversation; what is left out stays."""

    name = fields.String(load_default=None, validate=validate.Length(1, MOST_NAME))
    auto_run = fields.Boolean(load_default=None)


class MessageForm(TypedSchema):
    """A message."""

    text = fields.String(
        required=True,
        validate=validate.Length(1, MOST_TEXT),
        metadata={"example": "a trap beat at 140, then take the drums out"},
    )
    auto_run = fields.Boolean(
        load_default=None, metadata={"description": "run its plan at once; without it, as the conversation says"}
    )
    source = JsonNested(
        SourceForm, load_default=None, metadata={"description": "a song to speak of from now on: a fresh start"}
    )

    @validates("text")
    def _said(self, given: str, **kwargs: Any) -> None:
        if not given.strip():
            raise ValidationError("it says nothing")


class ConfirmForm(TypedSchema):
    """Which plan to run."""

    message = fields.Integer(
        load_default=None,
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "the number of the message that proposes it; without it, the plan that waits"},
    )


class ConversationQuery(Schema):
    """Which conversations to list."""

    q = fields.String(
        load_default="",
        validate=validate.Length(0, MOST_SEARCHED),
        metadata={"description": "words, each of which is in the name, or in one message, in any case"},
    )
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(load_default=None, metadata={"description": "`next_cursor` of the previous page"})

    @validates("q")
    def _plain(self, given: str, **kwargs: Any) -> None:
        if not is_plain(given):
            raise ValidationError(UNPLAIN)


class MessageQuery(Schema):
    """Which messages to list."""

    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(load_default=None, metadata={"description": "`next_cursor` of the previous page"})


class ExportQuery(Schema):
    """How to export."""

    format = fields.String(load_default="json", validate=validate.OneOf(("json", "markdown")))


class ConversationSummarySchema(Schema):
    """A conversation in a list."""

    id = fields.String()
    name = fields.String()
    auto_run = fields.Boolean()
    messages = fields.Integer(metadata={"description": "how many there are"})
    created_at = fields.DateTime()
    updated_at = fields.DateTime(metadata={"description": "when the last message came"})


class VersionSchema(Schema):
    """A version of the piece: what was confirmed."""

    version = fields.Integer(metadata={"description": "its number, from 1"})
    summary = fields.String()
    workflow_id = fields.String(metadata={"description": "`GET /v1/workflows/{id}` has its files"})


class ConversationSchema(ConversationSummarySchema):
    """A conversation."""

    source = fields.Dict(keys=fields.String(), allow_none=True)
    versions = fields.List(fields.Nested(VersionSchema))
    version = fields.Integer(
        allow_none=True, metadata={"description": "the one that messages speak of; null before the first"}
    )
    plan = fields.Integer(
        allow_none=True, metadata={"description": "the number of the message whose plan waits for a yes"}
    )
    providers = fields.List(
        fields.String(metadata={"enum": [RULES, *CHAT_PROVIDERS]}),
        metadata={
            "description": "who answers messages, in this order; where it is more than `rules`, they are sent to others"
        },
    )
    last_event_id = fields.String(metadata={"description": "from here its events go on after this answer"})


class ConversationPageSchema(Schema):
    """Some conversations, the one with the newest message first."""

    conversations = fields.List(fields.Nested(ConversationSummarySchema))
    next_cursor = fields.String(
        allow_none=True, metadata={"description": "cursor of the next page; null on the last page"}
    )


class MessageWorkflowSchema(Schema):
    """How the workflow that a message speaks of stands now."""

    workflow_id = fields.String()
    name = fields.String()
    recipe = fields.String(allow_none=True)
    state = fields.String(metadata={"enum": [str(state) for state in WorkflowState]})
    progress = fields.Nested(WorkflowProgressSchema)
    finished_at = fields.String(allow_none=True, metadata={"format": "date-time"})
    error = fields.Nested(StepErrorSchema, allow_none=True)


class MessageProblemSchema(Schema):
    """Why what a message asks for can't be done."""

    code = fields.String(metadata={"description": "stable, for programs"})
    detail = fields.String()


class MessageNoticeSchema(Schema):
    """Why not the one answers that was to."""

    code = fields.String(metadata={"description": "stable, for programs, such as `chat_budget_spent`"})
    detail = fields.String()


class MessageSchema(Schema):
    """A message. Of a reply, `kind` says what it is; a plan is a card, which waits for a yes while it is `open`."""

    number = fields.Integer(metadata={"description": "its place in the conversation, from 1"})
    role = fields.String(metadata={"enum": ["user", "assistant"]})
    kind = fields.String(metadata={"enum": list(KINDS)})
    text = fields.String()
    created_at = fields.DateTime()
    version = fields.Integer(allow_none=True, metadata={"description": "the version that it speaks of"})
    workflow_id = fields.String(allow_none=True, metadata={"description": "what makes that version"})
    workflow = fields.Nested(
        MessageWorkflowSchema, allow_none=True, metadata={"description": "null where it has none, or it was deleted"}
    )
    state = fields.String(allow_none=True, metadata={"enum": [*STATES, None], "description": "of a plan"})
    summary = fields.String(allow_none=True, metadata={"description": "of a plan: what it makes, in a few words"})
    plan = fields.Dict(
        keys=fields.String(), allow_none=True, metadata={"description": "of a plan: the body of `POST /v1/workflows`"}
    )
    forecast = fields.Nested(
        PlanSchema, allow_none=True, metadata={"description": "of a plan: what `POST /v1/workflows:plan` said of it"}
    )
    actions = fields.List(
        fields.String(metadata={"enum": [str(each) for each in Intent]}),
        metadata={"description": "what else the message asked for, such as `context.play`: that is the client's"},
    )
    compared = fields.List(fields.Integer(), metadata={"description": "the two versions to compare"})
    problem = fields.Nested(MessageProblemSchema, allow_none=True)
    writing = fields.Boolean(
        metadata={"description": "a language model is still writing it: `text` grows until this is false"}
    )
    provider = fields.String(
        allow_none=True,
        metadata={
            "enum": [RULES, *CHAT_PROVIDERS, None],
            "description": "of a reply: who answered; null while it is written, and of what users say",
        },
    )
    model = fields.String(allow_none=True, metadata={"description": "which language model answered"})
    tokens = fields.List(
        fields.Integer(), allow_none=True, metadata={"description": "how many it has read, and how many written"}
    )
    cost = fields.Float(
        allow_none=True,
        metadata={"description": "of a reply: US dollars; null where the price of the model is not known"},
    )
    notice = fields.Nested(
        MessageNoticeSchema, allow_none=True, metadata={"description": "why the rules answered in a model's place"}
    )


class MessagePageSchema(Schema):
    """Some messages, newest first."""

    messages = fields.List(fields.Nested(MessageSchema))
    next_cursor = fields.String(
        allow_none=True, metadata={"description": "cursor of the next page, of older ones; null on the last page"}
    )


class ExchangeSchema(Schema):
    """A message, its answer, and the conversation after it."""

    message = fields.Nested(MessageSchema)
    reply = fields.Nested(MessageSchema)
    conversation = fields.Nested(ConversationSchema)


class ConversationExportSchema(ConversationSchema):
    """A whole conversation, the oldest message first."""

    transcript = fields.List(fields.Nested(MessageSchema))
