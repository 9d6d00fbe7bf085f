"""Workers: what operators get."""

from __future__ import annotations

from marshmallow import Schema, fields


class AtWorkSchema(Schema):
    """What a worker does now."""

    job_id = fields.String()
    kind = fields.String()
    stage = fields.String()
    fraction = fields.Float(metadata={"description": "of that stage's work; 0 to 1"})
    workflow_id = fields.String(allow_none=True)
    step = fields.String(allow_none=True, metadata={"description": "the workflow's step that the job is"})


class WorkerInfoSchema(Schema):
    """A live process of a pool: what it can do, how busy it is, what it does."""

    id = fields.String(metadata={"description": "as timelines name it"})
    machine = fields.String(metadata={"description": "the machine or container that it runs on"})
    pools = fields.List(fields.String(), metadata={"description": "the pools that it serves"})
    kinds = fields.List(fields.String(), metadata={"description": "the kinds of work whose packages it has"})
    serves = fields.List(fields.String(), metadata={"description": "the models that its pools serve"})
    models = fields.List(fields.String(), metadata={"description": "the models whose weights it has in memory"})
    device = fields.String()
    device_name = fields.String()
    memory_mb = fields.Integer(allow_none=True, metadata={"description": "of the card, or of the machine"})
    free_memory_mb = fields.Integer(allow_none=True)
    cores = fields.Integer(allow_none=True)
    busyness = fields.Float(  # a schema has a method `load`
        attribute="load",
        data_key="load",
        allow_none=True,
        metadata={"description": "of its machine in the last minute; 1: a process runs on each core"},
    )
    instructions = fields.String(
        allow_none=True, metadata={"description": "the widest vector instructions of its processor"}
    )
    precisions = fields.List(
        fields.String(), metadata={"description": "the precisions that its device tells apart, such as fp32 and fast"}
    )
    versions = fields.Dict(keys=fields.String(), values=fields.String())
    extras = fields.List(fields.String(), metadata={"description": "the extras of stemsvc that are installed there"})
    lacking = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "by kind, the packages for want of which it is sent no such job"},
    )
    slots = fields.Integer(metadata={"description": "jobs that it runs at a time"})
    busy = fields.Integer(metadata={"description": "jobs that it runs now"})
    steps = fields.List(fields.Nested(AtWorkSchema))
    started_at = fields.DateTime()
    seen_at = fields.DateTime()
    age_seconds = fields.Float(metadata={"description": "how long ago it last reported"})


class WorkersSchema(Schema):
    """All live workers."""

    workers = fields.List(fields.Nested(WorkerInfoSchema))
