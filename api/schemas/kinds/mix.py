"""The form of a mix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from marshmallow import fields, validate

from api.schemas.fields import JsonNested, TypedSchema
from api.schemas.forms import EncodedForm, OutputsOf, SourceFields, SourceForm
from stemsvc.kinds.mix import (
    MOST_TRACKS,
    PAN_LAWS,
    PROFILES,
    RANGES,
    TRACK,
    Compressor,
    MixParams,
    Reverb,
    Sidechain,
)

COMPRESSOR, REVERB, SIDECHAIN, MIX = Compressor(), Reverb(), Sidechain(), MixParams()


def _number(name: str, default: float, words: str) -> fields.Float:
    """A number, whose limits the kind checks."""
    least, most = RANGES[name]
    return fields.Float(load_default=default, metadata={"description": words, "minimum": least, "maximum": most})


class EqForm(TypedSchema):
    """Three bands of an equaliser."""

    low = _number("eq.low", 0.0, "dB below 150 Hz (a shelf)")
    mid = _number("eq.mid", 0.0, "dB at 1 kHz (a bell)")
    high = _number("eq.high", 0.0, "dB above 6 kHz (a shelf)")


class CompressorForm(TypedSchema):
    """A compressor."""

    threshold_db = _number("compressor.threshold_db", COMPRESSOR.threshold_db, "dBFS above which it works")
    ratio = _number("compressor.ratio", COMPRESSOR.ratio, "dB that come for each dB that leaves")
    attack_ms = _number("compressor.attack_ms", COMPRESSOR.attack_ms, "how soon it works")
    release_ms = _number("compressor.release_ms", COMPRESSOR.release_ms, "how soon it lets go")
    makeup_db = _number("compressor.makeup_db", COMPRESSOR.makeup_db, "gain after it")


class ReverbForm(TypedSchema):
    """A hall."""

    amount = _number("reverb.amount", REVERB.amount, "level of the hall beside the dry track")
    seconds = _number("reverb.seconds", REVERB.seconds, "until the hall is 60 dB down; the mix lasts as much longer")
    predelay_ms = _number("reverb.predelay_ms", REVERB.predelay_ms, "before the hall sets in")


class SidechainForm(TypedSchema):
    """A compressor that follows another track."""

    from_ = fields.String(
        attribute="from",
        data_key="from",
        required=True,
        validate=validate.Length(1, 200),
        metadata={"description": "the other track: its `name`, or its number, from 1", "example": "drums"},
    )
    threshold_db = _number("sidechain.threshold_db", SIDECHAIN.threshold_db, "dBFS of that track above which it works")
    ratio = _number("sidechain.ratio", SIDECHAIN.ratio, "dB that come for each dB that leaves")
    attack_ms = _number("sidechain.attack_ms", SIDECHAIN.attack_ms, "how soon it works")
    release_ms = _number("sidechain.release_ms", SIDECHAIN.release_ms, "how soon it lets go")


class TrackForm(TypedSchema):
    """One track of a mix."""

    source = JsonNested(SourceForm, required=True)
    name = fields.String(
        load_default="",
        validate=validate.Length(max=200),
        metadata={"description": "for `sidechain` and for the facts; that of a job's output is the output's name"},
    )
    gain_db = _number("gain_db", 0.0, "its level")
    pan = _number("pan", 0.0, "-1 left, 0 centre, 1 right; see `pan_law`")
    mute = fields.Boolean(
        load_default=False, metadata={"description": "leave it out; it may be a `sidechain` all the same"}
    )
    solo = fields.Boolean(load_default=False, metadata={"description": "leave out all tracks that are not solo"})
    start = _number("start", 0.0, "second of the mix at which it begins, exact to the sample")
    fade_in = _number("fade_in", 0.0, "seconds, linear")
    fade_out = _number("fade_out", 0.0, "seconds before its end, linear")
    eq = JsonNested(EqForm, load_default=None, metadata={"description": "an equaliser"})
    compressor = JsonNested(CompressorForm, load_default=None, metadata={"description": "a compressor"})
    reverb = JsonNested(ReverbForm, load_default=None, metadata={"description": "a hall"})
    sidechain = JsonNested(
        SidechainForm, load_default=None, metadata={"description": "a compressor that follows another track"}
    )


class MixForm(EncodedForm):
    """Tracks to mix into one file. With unity everywhere it is their exact sum."""

    class Meta:
        """Its tracks are its sources."""

        exclude = ("file", "source")

    path = "mixes"
    operation = "createMix"
    several = True
    example: ClassVar[dict[str, Any]] = {
        "tracks": [
            {"source": {"job_id": "0f8fad5bd9cb469fa16570867728950e", "output": "vocals"}, "gain_db": 2},
            {"source": {"job_id": "0f8fad5bd9cb469fa16570867728950e", "output": "no_vocals"}},
        ],
        "normalise": True,
    }

    tracks = JsonNested(
        TrackForm,
        many=True,
        required=True,
        validate=validate.Length(1, MOST_TRACKS),
        metadata={
            "description": "the tracks; of a job that is named without an `output` each audio file becomes a track",
            "example": '[{"source": {"file": "vocals"}, "gain_db": -3}]',
        },
    )
    gain_db = _number("gain_db", 0.0, "of the whole mix")
    normalise = fields.Boolean(
        load_default=False, metadata={"description": "bring the true peak of the mix to -1 dBTP, after `gain_db`"}
    )
    profile = fields.String(
        load_default=MIX.profile,
        metadata={
            "enum": list(PROFILES),
            "description": "`balanced` brings all tracks to the same loudness, before their own gain; the others shape "
            "the sum: `bass-heavy` +4 dB below 100 Hz, `bright` +3 dB above 8 kHz, `warm` +2 dB below 250 Hz and -2 dB "
            "above 6 kHz",
        },
    )
    pan_law = fields.String(
        load_default=MIX.pan_law,
        metadata={
            "enum": list(PAN_LAWS),
            "description": "`balance`: the far side falls linearly, the near one stays (centre 0 dB); "
            "`constant_power`: sine and cosine, 0 dB at the centre and +3 dB at the sides",
        },
    )
    sample_rate = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(8000, 192000),
        metadata={"description": "Hz of the mix; empty: the highest of the tracks' rates"},
    )

    @classmethod
    def spread(cls, form: dict[str, Any], outputs_of: OutputsOf) -> dict[str, Any]:
        """See `KindForm`. Of a whole job each output becomes a track of its own, which the output names."""
        tracks: list[dict[str, Any]] = []
        for track in form["tracks"]:
            source = track["source"]
            if "job_id" in source and "output" not in source:
                names = outputs_of(source["job_id"])
                each = [{**track, "name": name, "source": {**source, "output": name}} for name in names]
                tracks += [{**track, "source": each[0]["source"]}] if len(each) == 1 and track["name"] else each
            else:
                tracks.append({**track, "name": track["name"] or source.get("output", "")})
        return {**form, "tracks": tracks}

    @classmethod
    def sources(cls, form: dict[str, Any]) -> Sequence[tuple[str, SourceFields]]:
        """See `KindForm`."""
        return [(TRACK, track["source"]) for track in form["tracks"]]
