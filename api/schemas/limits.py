"""The limits that a client can know before it sends anything."""

from __future__ import annotations

from marshmallow import Schema, fields

from stemsvc.jobs.record import Priority


class FormatSchema(Schema):
    """A format of files."""

    name = fields.String()
    content_type = fields.String()
    bit_depths = fields.List(fields.String(), metadata={"description": "empty for a lossy format"})


class LimitsSchema(Schema):
    """The limits of the service, and those of the key that asks."""

    max_upload_bytes = fields.Integer(metadata={"description": "largest file"})
    max_duration_seconds = fields.Float(metadata={"description": "longest track"})
    max_jobs_per_batch = fields.Integer()
    max_metadata_bytes = fields.Integer()
    max_waiting_jobs = fields.Integer(metadata={"description": "most jobs of this key that may wait"})
    max_open_uploads = fields.Integer(metadata={"description": "most presigned uploads of this key that may be open"})
    max_stored_bytes = fields.Integer(
        allow_none=True, metadata={"description": "most bytes of files of this key at one time; null: any number"}
    )
    minutes_per_day = fields.Float(
        allow_none=True, metadata={"description": "minutes of audio of this key in a day; null: any number"}
    )
    max_priority = fields.String(metadata={"enum": [each.word for each in Priority]})
    url_sources = fields.Boolean(metadata={"description": "whether this key may send links"})
    submits = fields.Boolean(metadata={"description": "whether this key may send tracks"})
    formats = fields.List(fields.Nested(FormatSchema))
    sample_rates = fields.List(fields.Integer(), metadata={"description": "the lowest and the highest, in Hz"})
    devices = fields.List(fields.String(), metadata={"description": "devices for which a pool is configured"})
    kinds = fields.List(fields.String(), metadata={"description": "kinds of work that are installed"})
    models = fields.List(fields.String(), metadata={"description": "models that a job can name"})
    default_model = fields.String(metadata={"description": "the model of a job that names none"})
    files_seconds = fields.Float(
        allow_none=True, metadata={"description": "how long a job's files are kept after its end; null: for ever"}
    )
    jobs_seconds = fields.Float(
        allow_none=True, metadata={"description": "how long a job without files is kept after its end; null: for ever"}
    )
    upload_seconds = fields.Float(metadata={"description": "how long the file of a presigned upload is kept"})
    url_seconds = fields.Integer(metadata={"description": "lifetime of signed URLs"})
    share_seconds = fields.Integer(metadata={"description": "longest lifetime of a shared page"})
    session_seconds = fields.Integer(metadata={"description": "lifetime of a session"})
    retry_limit = fields.Integer(metadata={"description": "how many times a job is started before it fails"})
    wait_seconds = fields.Float(metadata={"description": "longest time that `Prefer: wait` holds an answer"})
