"""Where a file is sent before its job."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.answers import AnswerSchema


class UploadSchema(AnswerSchema):
    """Where and how to send one file straight to storage."""

    upload_id = fields.String(metadata={"description": "the id that a job names as its source"})
    method = fields.String(metadata={"enum": ["PUT"]})
    url = fields.Url(metadata={"description": "signed; send the file's bytes to it"})
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "send these headers with the bytes; a web page's script may set them"},
    )
    expires_at = fields.DateTime(metadata={"description": "when the URL ends"})
    kept_until = fields.DateTime(metadata={"description": "when the file is erased"})
    max_bytes = fields.Integer()
