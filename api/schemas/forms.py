"""What clients send."""

from __future__ import annotations

from typing import Any

from flask_smorest.fields import Upload
from marshmallow import Schema, ValidationError, fields, post_load, validate, validates, validates_schema

from api.schemas.fields import MOST_METADATA, MetadataField, MomentField, NamesField, TypedSchema
from stemsvc.accounts.webhooks import EventType
from stemsvc.jobs.pools import KINDS
from stemsvc.jobs.record import FORMATS, JobState, Priority
from stemsvc.kinds.separate.options import MAX_OVERLAP, MAX_SEED, MAX_SHIFTS, PRECISIONS, SeparationOptions

DEFAULTS = SeparationOptions()
DEFAULT_PRIORITY = Priority.NORMAL.word
MOST_JOBS = 100  # in one batch
MIN_RATE, MAX_RATE = 8000, 192000  # Hz, as of what is read


class SourceForm(TypedSchema):
    """Where a track is: exactly one of the two."""

    url = fields.String(
        validate=validate.Length(1),
        metadata={"description": "a link to a file, or to a page of YouTube and others that yt-dlp knows"},
    )
    upload_id = fields.String(metadata={"description": "of `POST /v1/uploads`, its file being sent"})

    @validates_schema
    def _one(self, data: dict[str, Any], **kwargs: Any) -> None:
        if len(data) != 1:
            raise ValidationError("name exactly one of url and upload_id")


class JobForm(TypedSchema):
    """A track and what to make of it."""

    # counted and checked by `the_file`, which has better words than "missing data"
    file = Upload(metadata={"description": "the track: wav, flac, mp3, ogg, opus, m4a, aac, aiff, webm and more"})
    source = fields.Nested(SourceForm, load_default=None)

    model = fields.String(
        load_default="", metadata={"description": "a name from `GET /v1/models`; the default there where empty"}
    )
    device = fields.String(load_default="auto", validate=validate.OneOf(("auto", *KINDS)))
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
    format = fields.String(load_default="flac", metadata={"enum": list(FORMATS)})
    bit_depth = fields.String(
        load_default=None, metadata={"description": "wav: 16, 24, float32; flac: 16, 24; none for lossy formats"}
    )
    sample_rate = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(MIN_RATE, MAX_RATE),
        metadata={"description": "Hz of the stems; the track's own where empty"},
    )
    residual = fields.Boolean(
        load_default=False, metadata={"description": "also return what the stems returned leave of the mixture"}
    )
    filename_template = fields.String(
        load_default="",
        metadata={"description": "names of downloads, of {name}, {stem} and {model}", "example": "{name} [{stem}]"},
    )
    metadata = MetadataField(
        load_default=dict,
        metadata={
            "type": "string",
            "description": f"a JSON object of yours, at most {MOST_METADATA} bytes, given back with the job",
            "example": '{"album": 7}',
        },
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
    priority = fields.String(
        load_default=DEFAULT_PRIORITY,
        validate=validate.OneOf([each.word for each in Priority]),
        metadata={
            "description": "all `high` jobs of a pool go before its `normal` ones, and these before the `low` ones"
        },
    )
    cache = fields.Boolean(
        load_default=True,
        metadata={"description": "false: separate anew, even where the same was made for this key before"},
    )
    webhook_url = fields.String(
        load_default="", metadata={"description": "where to tell of the job's end, by Standard Webhooks"}
    )
    webhook_events = NamesField(
        load_default=(),
        metadata={
            "type": "string",
            "description": "what to tell of, separated by commas, as "
            f"{', '.join(f'`{event}`' for event in EventType)}; the job's end where empty",
            "example": "job.succeeded,job.progress",
        },
    )

    @validates("webhook_events")
    def _known(self, names: tuple[str, ...], **kwargs: Any) -> None:
        if unknown := [name for name in names if name not in list(EventType)]:
            raise ValidationError(f"{unknown[0]!r} is none of {', '.join(EventType)}")


class BatchForm(TypedSchema):
    """Several jobs, each with a source that is no file of this request."""

    # each is checked by itself, so that one's mistake is not the others'
    jobs = fields.List(
        fields.Dict(keys=fields.String()), required=True, validate=validate.Length(1, MOST_JOBS),
        metadata={"description": f"1 to {MOST_JOBS} bodies of `POST /v1/jobs`"},
    )  # fmt: skip


class UploadForm(TypedSchema):
    """A file that will be sent."""

    filename = fields.String(load_default="", metadata={"description": "what the track is called"})
    bytes = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1),
        metadata={"description": "its size, where that is known: then nothing else is taken"},
    )


class UsageQuery(Schema):
    """Of what time."""

    since = MomentField(load_default=None, metadata={"description": "30 days ago where empty"})
    until = MomentField(load_default=None, metadata={"description": "now where empty"})


class JobQuery(Schema):
    """Which jobs to list."""

    states = fields.List(
        fields.Enum(JobState, by_value=True), load_default=(), data_key="state",
        metadata={"description": "one or more states, each in a parameter of its own"},
    )  # fmt: skip
    model = fields.String(load_default=None, validate=validate.Regexp(r"[\w/-]{1,200}\Z"))
    created_after = MomentField(load_default=None)
    created_before = MomentField(load_default=None)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(load_default=None, metadata={"description": "`next_cursor` of the page before"})

    @post_load
    def _states(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {**data, "states": tuple(data["states"])}
