"""Keys, and the session that a page gets for one."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate, validates

from api.schemas.fields import MomentField, TypedSchema
from stemsvc.accounts.keys import DEFAULT_SCOPES, LONGEST_NAME, Scope
from stemsvc.accounts.retention import LEAST_DAYS, MOST_DAYS
from stemsvc.jobs.record import Priority

SCOPES = [str(each) for each in Scope]
LONGEST_TOKEN = 200
MOST_BYTES = 2**53 - 1  # what a program in JavaScript can count


class SessionForm(TypedSchema):
    """A key, for which the page gets a session."""

    key = fields.String(
        required=True,
        validate=validate.Length(1, LONGEST_TOKEN),
        metadata={"description": "a key made by `stemsvc keys create` or `POST /v1/keys`"},
    )


class SessionSchema(Schema):
    """Who calls, and what that caller may do."""

    open = fields.Boolean(metadata={"description": "whether requests need no key"})
    signed_in = fields.Boolean(metadata={"description": "whether this request came with a valid session or key"})
    key_id = fields.String(allow_none=True, metadata={"description": "null without a key"})
    key_name = fields.String(allow_none=True)
    scopes = fields.List(
        fields.String(metadata={"enum": SCOPES}),
        metadata={"description": "what the caller may do; empty where a key is needed and none was sent"},
    )
    max_priority = fields.String(
        allow_none=True,
        metadata={
            "enum": [*(each.word for each in Priority), None],
            "description": "the highest priority of the caller's jobs; null where it may send none",
        },
    )
    expires_at = fields.DateTime(
        allow_none=True, metadata={"description": "when the session ends; null without a session"}
    )


class KeyForm(TypedSchema):
    """A new key."""

    name = fields.String(
        required=True,
        validate=validate.Length(1, LONGEST_NAME),
        metadata={"description": "who uses it", "example": "band"},
    )
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)),
        load_default=lambda: [str(each) for each in DEFAULT_SCOPES],
        validate=validate.Length(1, len(SCOPES)),
        metadata={"description": "what it may do; by default `submit` and `read`"},
    )
    max_waiting = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 2**31 - 1),
        metadata={"description": "most jobs that may wait; without it what the service's settings say"},
    )
    minutes_per_day = fields.Float(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 1e9),
        metadata={"description": "minutes of audio that it may send in a day; without it any number"},
    )
    max_stored_bytes = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, MOST_BYTES),
        metadata={"description": "most bytes of files at one time; 0: any; without it what the service's settings say"},
    )
    max_priority = fields.String(
        load_default=Priority.NORMAL.word,
        validate=validate.OneOf([each.word for each in Priority]),
        metadata={"description": "the highest priority of its jobs; an admin may send any"},
    )
    retention_days = fields.Float(
        load_default=None,
        allow_none=True,
        validate=validate.Range(LEAST_DAYS, MOST_DAYS),
        metadata={"description": "days that files of its jobs are kept; without it what the service's settings say"},
    )
    expires_at = MomentField(
        load_default=None, allow_none=True, metadata={"description": "when it ends; without it never"}
    )

    @validates("name")
    def _readable(self, name: str, **kwargs: object) -> None:
        if not name.strip() or not name.isprintable():
            raise ValidationError(f"a name has 1 to {LONGEST_NAME} printable characters")


class KeySchema(Schema):
    """A key, without its secret."""

    id = fields.String()
    name = fields.String()
    scopes = fields.List(fields.String(metadata={"enum": SCOPES}))
    max_waiting = fields.Integer(allow_none=True)
    minutes_per_day = fields.Float(allow_none=True)
    max_stored_bytes = fields.Integer(allow_none=True)
    max_priority = fields.String(metadata={"enum": [each.word for each in Priority]})
    retention_days = fields.Float(allow_none=True, metadata={"description": "null: what the service's settings say"})
    created_at = fields.DateTime()
    expires_at = fields.DateTime(allow_none=True)
    old_secret_until = fields.DateTime(
        allow_none=True, metadata={"description": "until when the secret before the last rotation works"}
    )
    revoked_at = fields.DateTime(allow_none=True)


class MadeKeySchema(KeySchema):
    """A new key with its secret."""

    key = fields.String(
        metadata={"description": "what requests carry as `Authorization: Bearer`; it is shown only this once"}
    )


class KeysSchema(Schema):
    """The keys, oldest first, those that were revoked too."""

    needed = fields.Boolean(metadata={"description": "whether requests need a key"})
    keys = fields.List(fields.Nested(KeySchema))
