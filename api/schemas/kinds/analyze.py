"""The form of an analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marshmallow import fields, validate

from api.schemas.fields import JsonNested
from api.schemas.forms import EncodedForm, SourceFields, SourceForm
from stemsvc.jobs.part import MAX_AUDIO_TRACK, MAX_SECONDS, WHOLE
from stemsvc.kinds.analyze import CLICKS, USE_STEMS


class AnalyzeForm(EncodedForm):
    """A track to analyse: tempo, beats, key, chords, sections, loudness and the state of its signal.

    The job's `facts` have what was found, `files` the same as `analysis`, a `picture`, and a `click` track if asked
    for. Nothing is made up: what can't be said is null.
    """

    path = "analyses"
    operation = "createAnalysis"
    several = True

    stems = JsonNested(
        SourceForm,
        load_default=None,
        metadata={
            "description": "a separation of the same track, as `job_id`: key and chords come from its stems without "
            "drums"
        },
    )
    use_stems = fields.String(
        load_default=USE_STEMS[0],
        validate=validate.OneOf(USE_STEMS),
        metadata={
            "description": "`auto` takes `stems`, else those of your latest separation of the same file if it "
            "still has them; `always` separates the track first where there are none; `never` hears the track alone"
        },
    )
    model = fields.String(
        load_default="",
        metadata={"description": "the model with which `use_stems: always` separates; empty: the default model"},
    )
    click = fields.String(
        load_default=CLICKS[0],
        validate=validate.OneOf(CLICKS),
        metadata={
            "description": "also make a track with a click on every beat, a higher one on a bar's first: `alone`, or "
            "`mixed` with the track"
        },
    )
    picture = fields.Boolean(
        load_default=True, metadata={"description": "also draw waveform, beats, chords and sections, as SVG"}
    )
    start = fields.Float(
        load_default=WHOLE.start,
        metadata={"description": "second at which the part to analyse begins", "minimum": 0, "maximum": MAX_SECONDS},
    )
    end = fields.Float(
        load_default=WHOLE.end,
        allow_none=True,
        metadata={
            "description": "second at which it ends; empty: the track's end",
            "minimum": 0,
            "maximum": MAX_SECONDS,
        },
    )
    audio_track = fields.Integer(
        load_default=WHOLE.audio_track,
        allow_none=True,
        metadata={
            "description": "which audio track of a video, from 0; empty: its default one",
            "minimum": 0,
            "maximum": MAX_AUDIO_TRACK,
        },
    )

    @classmethod
    def sources(cls, form: dict[str, Any]) -> Sequence[tuple[str, SourceFields]]:
        """The track, and the separation whose stems are heard."""
        return [("source", form["source"]), *([("stem", form["stems"])] if form["stems"] is not None else [])]
