"""The form of a separation. It is named `JobForm` because clients of release 0.1 know it by that name."""

from __future__ import annotations

from marshmallow import fields, validate

from api.schemas.fields import NamesField, names_pattern, template_pattern
from api.schemas.forms import EncodedForm
from stemsvc.jobs.encoding import FORMATS
from stemsvc.jobs.part import MAX_AUDIO_TRACK, MAX_SECONDS, WHOLE
from stemsvc.jobs.titles import DEFAULT_TEMPLATE as TITLES
from stemsvc.kinds.separate.options import CHANNELS, MAX_OVERLAP, MAX_SEED, MAX_SHIFTS, PRECISIONS, SeparationOptions

DEFAULTS = SeparationOptions()


class JobForm(EncodedForm):
    """A track, and what to make of it."""

    path = "separations"
    operation = "createSeparation"

    model = fields.String(
        load_default="",
        metadata={
            "description": "a name from `GET /v1/models`; empty: the default model, or where that lacks one of the "
            "`stems`, the cheapest model or set of models that has them all. A preset's name counts as `quality`. "
            "Several names with `+` between them are a set, in which the first has the stems that several have"
        },
    )
    quality = fields.String(
        load_default="",
        metadata={
            "description": "in place of `model`: a preset from `GET /v1/models`, which says what you want. The best "
            "model that is served here and has the `stems` is taken, and the job's timeline says why it is that one. "
            "The preset also says stems, overlap, shifts and precision that the request leaves at their defaults",
            "example": "best",
        },
    )
    stems = NamesField(
        load_default=(),
        metadata={
            "type": "string",
            "default": "",
            "description": "stems to return, separated by commas; empty: all stems. `vocals` is the stem, "
            "`no_vocals` the sum of all other stems, `minus_vocals` the mixture minus the vocals (less work). "
            "Every stem of the model has these three names",
            "example": "vocals,drums",
        },
    )
    residual = fields.Boolean(
        load_default=False, metadata={"description": "also return the mixture minus all returned stems"}
    )
    overlap = fields.Float(
        load_default=DEFAULTS.overlap,
        allow_none=False,  # as it was when clients were generated from release 0.1
        metadata={
            "description": "share of a segment that the next one covers; the model's own where it has one, which is "
            "Demucs' by default 0.25",
            "minimum": 0,
            "maximum": MAX_OVERLAP,
        },
    )
    shifts = fields.Integer(
        load_default=DEFAULTS.shifts,
        metadata={
            "description": "passes at random offsets, which are averaged; each is a whole separation. "
            "0: one pass without an offset",
            "minimum": 0,
            "maximum": MAX_SHIFTS,
        },
    )
    seed = fields.Integer(
        load_default=DEFAULTS.seed,
        metadata={"description": "seed of the random offsets of `shifts`", "minimum": 0, "maximum": MAX_SEED},
    )
    segment = fields.Float(
        load_default=DEFAULTS.segment,
        metadata={
            "description": "seconds of a segment; at most the model's own length, which is the default",
            "minimum": 1,
        },
    )
    precision = fields.String(
        load_default=DEFAULTS.precision,
        metadata={
            "enum": list(PRECISIONS),
            "description": "`fp32` equals upstream to 100 dB, `mixed` to 60 dB; `fast` is for previews; "
            "`auto` is `mixed` on CUDA and `fp32` elsewhere",
        },
    )
    start = fields.Float(
        load_default=WHOLE.start,
        metadata={
            "description": "second of the track at which the part to separate begins; the stems begin there, too",
            "minimum": 0,
            "maximum": MAX_SECONDS,
        },
    )
    end = fields.Float(
        load_default=WHOLE.end,
        allow_none=True,
        metadata={
            "description": "second of the track at which the part ends, after `start`; empty: the track's end. "
            "Quotas, limits and times count the part alone",
            "minimum": 0,
            "maximum": MAX_SECONDS,
        },
    )
    audio_track = fields.Integer(
        load_default=WHOLE.audio_track,
        allow_none=True,
        metadata={
            "description": "which audio track of a video, from 0; empty: the one that the file marks as its default, "
            "else its first",
            "minimum": 0,
            "maximum": MAX_AUDIO_TRACK,
        },
    )
    trim_start = fields.Boolean(
        load_default=WHOLE.trim_start,
        metadata={
            "description": "leave out the silence before a track that starts late in its file; `start` then counts "
            "from its first sample"
        },
    )
    channels = fields.String(
        load_default=CHANNELS[0],
        validate=validate.OneOf(CHANNELS),
        metadata={
            "description": "`source`: the stems of a mono track are mono; those of any other are stereo, into which "
            "more than two channels are mixed down"
        },
    )
    analyze = fields.Boolean(
        load_default=False,
        metadata={
            "description": "also analyse the track as `POST /v1/analyses` does: the job's `facts` have it as "
            "`analysis`. Key and chords come from the stems without drums, if all of them or `minus_drums` are returned"
        },
    )
    tags = fields.Boolean(
        load_default=True,
        metadata={"description": "whether the stems carry the tags and the cover of the track; false: none"},
    )
    title_template = fields.String(
        load_default="",
        metadata={
            "description": "title in the tags of a stem, from {title} (of the track; its name where it has none), "
            f"{{stem}} and {{model}}; empty: {TITLES}",
            "example": "{title} - {stem}",
            "pattern": template_pattern("title", "stem", "model"),
        },
    )
    formats = NamesField(
        load_default=(),
        metadata={
            "type": "string",
            "description": f"several formats at once, of {', '.join(FORMATS)}, in place of `format`: the track is "
            "separated once. With two or more, `files` and `stems` have a file for each format, named `vocals.flac`",
            "example": "flac,mp3",
            "pattern": names_pattern(FORMATS),
        },
    )
