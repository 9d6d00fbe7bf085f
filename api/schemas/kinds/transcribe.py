"""The form of a transcription."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.fields import NamesField, names_pattern
from api.schemas.kinds.tracks import TracksForm
from stemsvc.kinds.transcribe.kind import GRIDS, MAX_BPM, MIN_BPM, TranscribeParams
from stemsvc.kinds.transcribe.stems import STEMS

DEFAULTS = TranscribeParams()


class TranscribeForm(TracksForm):
    """Stems or a song, whose notes are to be written down.

    The job's `files` are a MIDI file for each track, `all` of them in one, `notes` as JSON, and `piano_roll`, a PNG.

    A whole separation is one source: `{"job_id": ...}` without an output.
    """

    path = "transcriptions"
    operation = "createTranscription"

    stems = NamesField(
        load_default=(),
        metadata={
            "type": "string",
            "default": "",
            "description": f"what each track is, in their order, separated by commas, of {', '.join(STEMS)}: drums "
            "become General MIDI's percussion, bass and vocals one voice, the others chords. Empty: as the tracks' "
            "names say",
            "example": "drums,bass,other,vocals",
            "pattern": names_pattern(STEMS),
        },
    )
    quantise = fields.String(
        load_default=DEFAULTS.quantise,
        metadata={
            "enum": list(GRIDS),
            "description": "the grid to which notes move, as a part of a whole note, `t` for triplets; `off`: notes "
            "stay where they were played",
        },
    )
    strength = fields.Float(
        load_default=DEFAULTS.strength,
        metadata={"description": "how far notes move to the grid: 1 onto it", "minimum": 0, "maximum": 1},
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
    key = fields.String(
        load_default=DEFAULTS.key,
        metadata={"description": "the key, such as `F# minor`; empty: as the notes tell", "example": "F# minor"},
    )
    sensitivity = fields.Float(
        load_default=DEFAULTS.sensitivity,
        metadata={
            "description": "from 0, which writes only notes that are sure, to 1, which writes every faint one",
            "minimum": 0,
            "maximum": 1,
        },
    )
