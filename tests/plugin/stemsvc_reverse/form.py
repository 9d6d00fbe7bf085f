"""The form of the kind `reverse`: `POST /v1/reversals`."""

from __future__ import annotations

from marshmallow import fields, validate

from api.schemas.forms import EncodedForm


class ReverseForm(EncodedForm):
    """A track to turn round."""

    path = "reversals"
    operation = "createReversal"

    pause = fields.Float(load_default=0.0, validate=validate.Range(0), metadata={"description": "seconds to wait"})
    stumbles = fields.Integer(load_default=0, validate=validate.Range(0), metadata={"description": "tries that fail"})
