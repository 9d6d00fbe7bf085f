"""What an admin says to pools."""

from __future__ import annotations

from marshmallow import fields, validate

from api.schemas.fields import TypedSchema
from stemsvc.jobstore.drains import LONGEST_WHY


class DrainForm(TypedSchema):
    """Why a pool shall take no new work."""

    why = fields.String(
        load_default="",
        validate=validate.Length(max=LONGEST_WHY),
        metadata={"description": "for whoever asks; it is shown with the pool"},
    )
