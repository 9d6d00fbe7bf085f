"""The shapes of reports: what was used and what it cost, and what failed."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from api.schemas.fields import MomentField

STEPS = {"hour": 3600, "day": 86400}  # seconds
MOST_PERIODS = 1000  # in one answer


class AccountSchema(Schema):
    """What a key used."""

    key = fields.String(allow_none=True, metadata={"description": "the key's id; null: without a key"})
    jobs = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "number of jobs by state"}
    )
    cached = fields.Integer(metadata={"description": "jobs that got the stems of an earlier job"})
    audio_minutes = fields.Float(metadata={"description": "minutes of audio of the jobs that succeeded"})
    device_seconds = fields.Float(
        metadata={"description": "seconds that devices computed, also for attempts that failed"}
    )
    cost = fields.Float(metadata={"description": "cost of the device seconds at the operator's price"})


class UsageSchema(Schema):
    """What the key used. With the scope `admin`: what everyone used."""

    since = fields.DateTime()
    until = fields.DateTime()
    currency = fields.String()
    accounts = fields.List(fields.Nested(AccountSchema))


class UsageQuery(Schema):
    """The time of a usage report."""

    since = MomentField(load_default=None, metadata={"description": "empty: 30 days before `until`"})
    until = MomentField(load_default=None, metadata={"description": "empty: now"})


class SeriesQuery(UsageQuery):
    """The time of a usage report, and its steps."""

    step = fields.String(
        load_default="day", validate=validate.OneOf(list(STEPS)), metadata={"description": "length of a period"}
    )


class PeriodSchema(Schema):
    """What was used in a period."""

    at = fields.DateTime(metadata={"description": "the period's start, in UTC"})
    jobs = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "number of jobs by state"}
    )
    audio_minutes = fields.Float()
    device_seconds = fields.Float()
    cost = fields.Float()


class SeriesSchema(Schema):
    """What was used, period by period. Periods without a job are there too."""

    since = fields.DateTime()
    until = fields.DateTime()
    step_seconds = fields.Integer()
    currency = fields.String()
    periods = fields.List(fields.Nested(PeriodSchema))


class FailureSchema(Schema):
    """Jobs that failed for one reason."""

    code = fields.String(metadata={"description": "the error's code"})
    kind = fields.String(metadata={"description": "the jobs' kind of work"})
    count = fields.Integer()
    last_at = fields.DateTime(metadata={"description": "when the last of them failed"})
    last_job = fields.String(metadata={"description": "id of that job"})
    detail = fields.String(metadata={"description": "what was said of that job"})


class FailuresQuery(Schema):
    """The time of a report of failures."""

    since = MomentField(load_default=None, metadata={"description": "empty: a day before `until`"})
    until = MomentField(load_default=None, metadata={"description": "empty: now"})


class FailuresSchema(Schema):
    """What failed, the most frequent reason first."""

    since = fields.DateTime()
    until = fields.DateTime()
    failures = fields.List(fields.Nested(FailureSchema))
