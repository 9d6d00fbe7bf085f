"""Pools as answers show them, and what an admin says to them."""

from __future__ import annotations

from marshmallow import fields, validate

from api.schemas.answers import AnswerSchema
from api.schemas.fields import TypedSchema
from stemsvc.jobstore.drains import LONGEST_WHY


class DrainForm(TypedSchema):
    """Why a pool shall take no new work."""

    why = fields.String(
        load_default="",
        validate=validate.Length(max=LONGEST_WHY),
        metadata={"description": "for whoever asks; it is shown with the pool"},
    )


class LineSchema(AnswerSchema):
    """How many jobs wait in a pool, by priority."""

    high = fields.Integer()
    normal = fields.Integer()
    low = fields.Integer()


class WorkerSchema(AnswerSchema):
    """A worker that is alive."""

    id = fields.String()
    device_name = fields.String(metadata={"description": "the maker's name of the device"})
    free_memory_mb = fields.Integer(allow_none=True, metadata={"description": "free memory of the device"})
    models = fields.List(fields.String(), metadata={"description": "models whose weights are loaded"})
    busy = fields.Boolean()
    jobs = fields.List(fields.String(), metadata={"description": "ids of the jobs that it works on"})
    slots = fields.Integer(metadata={"description": "jobs that it runs at a time"})
    kinds = fields.List(fields.String(), metadata={"description": "kinds of work that it can do"})
    version = fields.String(metadata={"description": "its release of stemsvc"})
    started_at = fields.DateTime()
    seen_at = fields.DateTime()


class PoolSchema(AnswerSchema):
    """Workers that run some models on one device."""

    name = fields.String()
    kinds = fields.List(fields.String(), metadata={"description": "kinds of work that it serves; `*`: every kind"})
    models = fields.List(fields.String())
    device = fields.String()
    precision = fields.String(allow_none=True, metadata={"description": "precision of jobs that ask for `auto`"})
    slots = fields.Integer(metadata={"description": "jobs that its live workers run at a time"})
    queued = fields.Integer()
    running = fields.Integer()
    jobs = fields.Integer(
        metadata={"description": "running jobs, and queued ones unless it is drained: scale the workers by this number"}
    )
    drained_at = fields.DateTime(
        allow_none=True, metadata={"description": "since when it takes no new work; null: it takes work"}
    )
    drained_why = fields.String(allow_none=True, metadata={"description": "what the admin said who drained it"})
    waiting = fields.Nested(LineSchema)
    workers = fields.List(
        fields.Nested(WorkerSchema), metadata={"description": "shown to keys with the scope `admin`, else empty"}
    )


class PoolsSchema(AnswerSchema):
    """All pools."""

    pools = fields.List(fields.Nested(PoolSchema))
