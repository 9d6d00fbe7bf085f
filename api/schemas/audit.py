"""The shapes of the audit log."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from api.schemas.fields import MomentField
from stemsvc.jobstore.audit import Act, Via

ACTS = [str(each) for each in Act]


class AuditQuery(Schema):
    """Which entries of the audit log."""

    since = MomentField(load_default=None, metadata={"description": "empty: from the first on"})
    until = MomentField(load_default=None, metadata={"description": "empty: now"})
    act = fields.String(load_default=None, validate=validate.OneOf(ACTS), metadata={"description": "only such acts"})
    actor = fields.String(load_default=None, metadata={"description": "only this key's acts, by its id"})
    target = fields.String(load_default=None, metadata={"description": "only acts on this job, key or pool"})
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 500), metadata={"description": "of one page"})
    before = fields.Integer(
        load_default=None,
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "`next_before` of the page before"},
    )


class EntrySchema(Schema):
    """What one admin did."""

    id = fields.Integer()
    at = fields.DateTime()
    via = fields.String(metadata={"enum": [str(each) for each in Via]})
    actor = fields.String(
        metadata={"description": "the key's id, or `user@host` of a command; empty where no key was needed"}
    )
    act = fields.String(metadata={"enum": ACTS})
    target = fields.String(metadata={"description": "id or name of what it was done to"})
    detail = fields.Dict(metadata={"description": "what was given; never a secret"})
    request_id = fields.String(allow_none=True)


class AuditSchema(Schema):
    """A page of the audit log, newest first."""

    entries = fields.List(fields.Nested(EntrySchema))
    next_before = fields.Integer(allow_none=True, metadata={"description": "null on the last page"})
