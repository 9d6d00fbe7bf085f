"""Plans of workflows: what clients send and get."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from api.schemas.workflows import MOST_SOURCES, WorkflowForm

LONGEST_SECONDS = 7 * 86400.0


class PlanForm(WorkflowForm):
    """A workflow to plan. Its songs need not be sent: their lengths will do."""

    seconds = fields.List(
        fields.Float(
            allow_none=True, allow_nan=False, validate=validate.Range(0, LONGEST_SECONDS, min_inclusive=False)
        ),
        load_default=None,
        validate=validate.Length(1, MOST_SOURCES),
        metadata={"description": "how long songs play that are not sent yet, in place of `source`; null: not known"},
    )

    @validates_schema
    def _one_way(self, data: dict[str, Any], **kwargs: Any) -> None:
        if data.get("seconds") and (data.get("source") or data.get("sources")):
            raise ValidationError("name either seconds or sources", "seconds")


class PlannedStepSchema(Schema):
    """What one job of a workflow would be. Moments are in seconds from now; all times are predictions."""

    step = fields.String(metadata={"description": "its step, with the source's number where it is one for each"})
    kind = fields.String()
    model = fields.String()
    pool = fields.String()
    device = fields.String()
    why = fields.String(metadata={"description": "why that pool"})
    alive = fields.Boolean(metadata={"description": "whether the pool has a live worker"})
    after = fields.List(fields.String(), metadata={"description": "the steps that must end before it"})
    waiting_seconds = fields.Float(metadata={"description": "in the queue, once its inputs are there"})
    starts_seconds = fields.Float()
    ends_seconds = fields.Float()
    work_seconds = fields.Float()
    measured = fields.Boolean(
        metadata={"description": "whether the pool's recent jobs say how fast it is; else the reference machine does"}
    )
    stored_bytes = fields.Integer(metadata={"description": "of the files that it makes, about"})


class PlannedPoolSchema(Schema):
    """A pool that it would use."""

    name = fields.String()
    slots = fields.Integer(metadata={"description": "jobs that its live workers run at a time"})
    waiting_seconds = fields.Float(metadata={"description": "until what is before a new job of yours is done"})


class PlanSchema(Schema):
    """What a workflow would take."""

    steps = fields.List(fields.Nested(PlannedStepSchema))
    pools = fields.List(fields.Nested(PlannedPoolSchema))
    waiting_seconds = fields.Float(metadata={"description": "until its first job begins"})
    work_seconds = fields.Float(metadata={"description": "of all its jobs"})
    total_seconds = fields.Float(metadata={"description": "from now to its end"})
    stored_bytes = fields.Integer(metadata={"description": "of the songs and of all files, about"})
    cost = fields.Float(metadata={"description": "of the seconds that devices work, in `currency`"})
    currency = fields.String()
