"""A job that is shown to who has a link to it."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from api.schemas.fields import TypedSchema
from api.schemas.files import ArchiveSchema, PreviewSchema, SignedSchema
from api.schemas.jobs import ProgressSchema, SourceSchema, StemSchema
from stemsvc.jobs.record import JobState

LONGEST_SHARE = 30 * 86400  # seconds
DEFAULT_SHARE = 7 * 86400


class ShareForm(TypedSchema):
    """How long a page may be seen."""

    seconds = fields.Integer(
        load_default=DEFAULT_SHARE,
        validate=validate.Range(60, LONGEST_SHARE),
        metadata={"description": "lifetime of the link", "example": DEFAULT_SHARE},
    )


class ShareSchema(Schema):
    """A page that shows one job to whoever has its address."""

    url = fields.Url(metadata={"description": "the page; anyone who has it can listen until it expires"})
    token = fields.String(metadata={"description": "the last part of the URL; `GET /v1/shared/{token}` takes it"})
    expires_at = fields.DateTime(metadata={"description": "it ends before that where the job is deleted"})


class SharedJobSchema(Schema):
    """What a shared page shows of a job: nothing of its client, its workers or its machine."""

    name = fields.String(metadata={"description": "the track's name without the ending of its file"})
    kind = fields.String()
    state = fields.String(metadata={"enum": [str(state) for state in JobState]})
    model = fields.String(metadata={"description": "empty for a kind without models"})
    format = fields.String()
    progress = fields.Nested(ProgressSchema)
    created_at = fields.DateTime()
    finished_at = fields.DateTime(allow_none=True)
    source = fields.Nested(SourceSchema, allow_none=True)
    files = fields.Dict(keys=fields.String(), values=fields.Nested(StemSchema))
    archive = fields.Nested(ArchiveSchema, allow_none=True)
    cover = fields.Nested(SignedSchema, allow_none=True)
    peaks = fields.Nested(SignedSchema, allow_none=True)
    preview = fields.Nested(PreviewSchema, allow_none=True)
    expires_at = fields.DateTime(metadata={"description": "when the link ends"})
