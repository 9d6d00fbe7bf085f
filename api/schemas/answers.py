"""The shapes of answers, and those that every resource gives. Records can change without them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields


class AnswerSchema(Schema):
    """A schema of answers. Those of jobs are dicts: their values are had at once, not looked for in four ways."""

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """See marshmallow."""
        return obj.get(attr, default) if type(obj) is dict else super().get_attribute(obj, attr, default)


class ProblemSchema(AnswerSchema):
    """The body of every error."""

    type = fields.String(metadata={"description": "the address of the code's chapter in the docs"})
    title = fields.String(metadata={"description": "the status in words"})
    status = fields.Integer()
    code = fields.String(metadata={"description": "stable, for programs"})
    detail = fields.String(metadata={"description": "what was wrong, for people"})
    request_id = fields.String()
    errors = fields.Dict(metadata={"description": "what is wrong, field by field, for `invalid_fields`"})


class HealthSchema(AnswerSchema):
    """Whether the service can do its work."""

    status = fields.String(metadata={"enum": ["ok", "degraded", "unavailable"]})
    parts = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"description": "`ok` or an error code"})
