"""The form of a master."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marshmallow import fields

from api.schemas.fields import JsonNested
from api.schemas.forms import EncodedForm, SourceFields, SourceForm
from stemsvc.kinds.master import PRESETS, RANGES, REFERENCE, SILENCES, MasterParams

DEFAULTS = MasterParams()


def _number(name: str, words: str) -> fields.Float:
    """A number in place of the preset's, whose limits the kind checks."""
    least, most = RANGES[name]
    return fields.Float(
        load_default=None,
        allow_none=True,
        metadata={"description": f"{words}; empty: the preset's", "minimum": least, "maximum": most},
    )


class MasterForm(EncodedForm):
    """A song to master: shaped, brought to a loudness, kept under a ceiling of true peak."""

    path = "masters"
    operation = "createMaster"
    several = True

    reference = JsonNested(
        SourceForm,
        load_default=None,
        metadata={
            "description": "a song to match: its tone within 6 dB, its width within 3 dB, and its loudness unless "
            "`loudness` says another one"
        },
    )
    preset = fields.String(
        load_default=DEFAULTS.preset,
        metadata={
            "enum": list(PRESETS),
            "description": "LUFS and dBTP: `streaming` -14, -1; `apple` -16, -1; `cd` -10, -0.3; `club` -9, -0.5; "
            "`broadcast` -23, -1; `podcast` -16 (a mono one -19), -1; `none` changes nothing by itself",
        },
    )
    intensity = fields.Float(
        load_default=DEFAULTS.intensity,
        metadata={
            "description": "how much of the shaping: 0 none, 1 all of it; loudness and ceiling hold whatever it is",
            "minimum": 0,
            "maximum": 1,
        },
    )
    loudness = _number("loudness", "integrated loudness in LUFS (EBU R 128)")
    ceiling_db = _number("ceiling_db", "the most true peak in dBTP; lossy codecs may add some")
    low_db = _number("low_db", "a shelf below 120 Hz")
    mid_db = _number("mid_db", "a bell at 1.5 kHz")
    high_db = _number("high_db", "a shelf above 8 kHz")
    compression = _number("compression", "of three bands, 0 to 1")
    saturation = _number("saturation", "0 to 1")
    width = _number("width", "of the sides above 150 Hz: 0 mono, 1 as it is, 2 twice")
    silence = fields.String(
        load_default=DEFAULTS.silence,
        metadata={
            "enum": list(SILENCES),
            "description": "`trim` leaves out silence at the song's ends, `cut` wherever it lasts for a second or "
            "longer; a quarter of a second of it stays around what sounds",
        },
    )
    silence_db = fields.Float(
        load_default=DEFAULTS.silence_db,
        metadata={
            "description": "dBFS that no sample of a silence is above",
            "minimum": RANGES["silence_db"][0],
            "maximum": RANGES["silence_db"][1],
        },
    )

    @classmethod
    def sources(cls, form: dict[str, Any]) -> Sequence[tuple[str, SourceFields]]:
        """See `KindForm`."""
        reference = form["reference"]
        return [("source", form["source"]), *([(REFERENCE, reference)] if reference else [])]
