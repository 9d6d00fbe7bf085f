"""Where a file is sent before its job."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.answers import AnswerSchema


class PartSchema(AnswerSchema):
    """Where and how to send one part of a file."""

    number = fields.Integer(metadata={"description": "from 1 on"})
    offset = fields.Integer(metadata={"description": "where its bytes begin in the file"})
    bytes = fields.Integer(metadata={"description": "how many they are"})
    url = fields.Url(metadata={"description": "signed; send the part's bytes to it"})
    headers = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "send these headers with the bytes"}
    )


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
    parts = fields.List(
        fields.Nested(PartSchema),
        allow_none=True,
        metadata={"description": "the parts that have not come yet, where they were asked for; else null"},
    )
