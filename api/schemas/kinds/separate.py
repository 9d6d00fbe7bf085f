"""The form of a separation. Its name is what clients of release 0.1 know it by."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.fields import NamesField
from api.schemas.forms import EncodedForm
from stemsvc.kinds.separate.options import MAX_OVERLAP, MAX_SEED, MAX_SHIFTS, PRECISIONS, SeparationOptions

DEFAULTS = SeparationOptions()


class JobForm(EncodedForm):
    """A track and what to make of it."""

    path = "separations"
    operation = "createSeparation"

    model = fields.String(
        load_default="", metadata={"description": "a name from `GET /v1/models`; the default there where empty"}
    )
    stems = NamesField(
        load_default=(),
        metadata={
            "type": "string",
            "default": "",
            "description": "what to return, separated by commas; all stems where empty. `vocals` is the stem, "
            "`no_vocals` the sum of all others, `minus_vocals` the mixture less the vocals (less work); "
            "likewise for every stem of the model",
            "example": "vocals,drums",
        },
    )
    residual = fields.Boolean(
        load_default=False, metadata={"description": "also return what the stems returned leave of the mixture"}
    )
    overlap = fields.Float(
        load_default=DEFAULTS.overlap,
        metadata={"description": "share of a segment that the next one covers", "minimum": 0, "maximum": MAX_OVERLAP},
    )
    shifts = fields.Integer(
        load_default=DEFAULTS.shifts,
        metadata={
            "description": "passes at random offsets that are averaged: each is a whole separation; 0 is one at none",
            "minimum": 0,
            "maximum": MAX_SHIFTS,
        },
    )
    seed = fields.Integer(
        load_default=DEFAULTS.seed,
        metadata={"description": "what `shifts` draws its offsets from", "minimum": 0, "maximum": MAX_SEED},
    )
    segment = fields.Float(
        load_default=DEFAULTS.segment,
        metadata={"description": "seconds of a segment, at most the model's own, which is the default", "minimum": 1},
    )
    precision = fields.String(
        load_default=DEFAULTS.precision,
        metadata={
            "enum": list(PRECISIONS),
            "description": "`fp32` is upstream's to 100 dB, `mixed` to 60 dB, `fast` is for previews; "
            "`auto` is mixed on CUDA and fp32 elsewhere",
        },
    )
