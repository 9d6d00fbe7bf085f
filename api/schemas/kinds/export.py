"""The form of an export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marshmallow import fields, validate

from api.schemas.fields import JsonNested, NamesField, names_pattern
from api.schemas.forms import SourceFields, SourceForm
from api.schemas.kinds.tracks import TracksForm
from stemsvc.kinds.export.kind import (
    ANALYSIS,
    CODECS,
    MAX_BPM,
    MIN_BPM,
    MIXTURE,
    MOST_BARS,
    MOST_INPUTS,
    MOST_NAME,
    TARGETS,
    ExportParams,
)

DEFAULTS = ExportParams()


class ExportForm(TracksForm):
    """Stems to put into projects of audio workstations, into a `.stem.mp4` or into packs.

    A whole separation is one source: `{"job_id": ...}` without an output.
    """

    path = "exports"
    operation = "createExport"

    mixture = JsonNested(
        SourceForm,
        load_default=None,
        metadata={"description": "the song itself, for the first stream of a `.stem.mp4`; without it the stems' sum"},
    )
    analysis = JsonNested(
        SourceForm,
        load_default=None,
        metadata={
            "description": "the `analysis.json` of a job of `POST /v1/analyses`: tempo, bars, and markers for its "
            "sections. Without it the beats are looked for in the stems, and there are no markers"
        },
    )
    targets = NamesField(
        load_default=DEFAULTS.targets,
        metadata={
            "type": "string",
            "default": ",".join(DEFAULTS.targets),
            "description": f"what to make, separated by commas, of {', '.join(TARGETS)}",
            "example": "stem.mp4,reaper",
            "pattern": names_pattern(TARGETS),
        },
    )
    title = fields.String(
        load_default="",
        validate=validate.Length(max=MOST_NAME),
        metadata={"description": "of the project; empty: the name of the first track"},
    )
    names = fields.List(
        fields.String(validate=validate.Length(1, MOST_NAME)),
        load_default=(),
        validate=validate.Length(max=MOST_INPUTS),
        metadata={"description": "of the tracks, in their order; empty: as the sources are called"},
    )
    colours = NamesField(
        load_default=(),
        metadata={
            "type": "string",
            "default": "",
            "description": "of the tracks, in their order, separated by commas; empty: our own",
            "example": "#009E73,#D55E00",
        },
    )
    bpm = fields.Float(
        load_default=DEFAULTS.bpm,
        allow_none=True,
        metadata={
            "description": "the tempo, if you know it: the first bar then begins with the track. Empty: as the beats "
            "are found",
            "minimum": MIN_BPM,
            "maximum": MAX_BPM,
        },
    )
    codec = fields.String(
        load_default=DEFAULTS.codec,
        metadata={"enum": list(CODECS), "description": "of a `.stem.mp4`: `alac` is lossless, `aac` plays everywhere"},
    )
    bars = fields.Integer(
        load_default=DEFAULTS.bars,
        metadata={"description": "bars of each sample of a pack", "minimum": 1, "maximum": MOST_BARS},
    )

    @classmethod
    def sources(cls, form: dict[str, Any]) -> Sequence[tuple[str, SourceFields]]:
        """See `KindForm`: the tracks, then the mixture and the analysis."""
        more = [(role, form[role]) for role in (MIXTURE, ANALYSIS) if form[role] is not None]
        return [*super().sources(form), *more]
