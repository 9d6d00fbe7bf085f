"""What clients send about their webhooks, and the answers."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from api.schemas.fields import TypedSchema
from stemsvc.accounts.webhooks import STATES
from stemsvc.control.guard import LONGEST_URL

KEEP_HOURS, MOST_HOURS = 24.0, 8760.0


class SecretSchema(Schema):
    """A secret that signs webhooks."""

    id = fields.Integer()
    secret = fields.String(metadata={"description": "as the libraries of Standard Webhooks take it"})
    created_at = fields.DateTime()
    expires_at = fields.DateTime(
        allow_none=True, metadata={"description": "when it signs no longer; null for the newest one"}
    )


class SecretsSchema(Schema):
    """The secrets of a key, the newest first."""

    secrets = fields.List(fields.Nested(SecretSchema))


class RotateForm(TypedSchema):
    """How long the earlier secrets go on signing."""

    keep_hours = fields.Float(
        load_default=KEEP_HOURS,
        validate=validate.Range(0, MOST_HOURS),
        metadata={"description": "hours for which the earlier secrets sign beside the new one"},
    )


class DeliverySchema(Schema):
    """A webhook, and what came of it."""

    id = fields.String(metadata={"description": "the `webhook-id` that it is sent with"})
    job_id = fields.String()
    url = fields.String()
    type = fields.String(metadata={"description": "the event, such as `job.succeeded`"})
    state = fields.String(
        metadata={"enum": list(STATES), "description": "`dead`: given up after a day of tries, or refused for good"}
    )
    attempt = fields.Integer(metadata={"description": "how many times it was tried"})
    created_at = fields.DateTime()
    next_at = fields.DateTime(allow_none=True, metadata={"description": "when it is tried again"})
    ended_at = fields.DateTime(allow_none=True)
    detail = fields.String(allow_none=True, metadata={"description": "what came of the last try"})


class DeliveryPageSchema(Schema):
    """Some deliveries, newest first."""

    deliveries = fields.List(fields.Nested(DeliverySchema))
    next_cursor = fields.String(
        allow_none=True, metadata={"description": "cursor of the next page; null on the last page"}
    )


class DeliveryQuery(Schema):
    """Which deliveries to list."""

    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    job_id = fields.String(
        load_default=None,
        validate=validate.Regexp(r"[0-9a-f]{32}\Z"),
        metadata={"pattern": "^[0-9a-f]{32}$", "description": "only those of this job"},
    )
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(load_default=None, metadata={"description": "`next_cursor` of the previous page"})


class TestForm(TypedSchema):
    """The receiver to test."""

    __test__ = False  # it is no test of pytest's

    url = fields.String(
        required=True,
        validate=validate.Length(1, LONGEST_URL),
        metadata={"description": "the URL to which the event is sent", "pattern": "^https?://.+$"},
    )


class OutcomeSchema(Schema):
    """What came of a test event."""

    delivered = fields.Boolean(metadata={"description": "whether the receiver answered 2xx"})
    status = fields.Integer(allow_none=True, metadata={"description": "the answer's status; null: there was none"})
    detail = fields.String()
    webhook_id = fields.String(metadata={"description": "the `webhook-id` that it was sent with"})
    seconds = fields.Float(metadata={"description": "how long it took"})
