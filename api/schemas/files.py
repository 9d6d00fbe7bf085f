"""Files that answers lead to."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.answers import AnswerSchema

URL_ENDS = "when the URL ends: read the job again for another one"
FILE_ENDS = "when the file is erased; null: never"


class LinkSchema(AnswerSchema):
    """A file that can be downloaded."""

    url = fields.Url(metadata={"description": "signed; anyone who has it can download until it expires"})
    expires_at = fields.DateTime(metadata={"description": URL_ENDS})
    kept_until = fields.DateTime(allow_none=True, metadata={"description": FILE_ENDS})
    filename = fields.String(metadata={"description": "name of the downloaded file"})


class ArchiveSchema(LinkSchema):
    """All files of a job as one zip. The URL takes `&files=` with some of their names, separated by commas."""

    bytes = fields.Integer(metadata={"description": "size of the zip with all files"})


class SignedSchema(AnswerSchema):
    """A file for the page's player."""

    url = fields.Url(metadata={"description": "signed; anyone who has it can read until it expires"})
    expires_at = fields.DateTime(metadata={"description": URL_ENDS})
    bytes = fields.Integer()
    sha256 = fields.String()


class PreviewSchema(AnswerSchema):
    """The stems in short pieces, which a player can play before it has all of them."""

    pack = fields.Nested(SignedSchema, metadata={"description": "the pieces, all stems of a moment side by side"})
    index = fields.Nested(SignedSchema, metadata={"description": "where in the pack each piece is, as JSON"})
