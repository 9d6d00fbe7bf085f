"""The shapes that clients see. They are apart from the job record, which is ours to change."""

from __future__ import annotations

import json
import math
from datetime import UTC
from typing import Any

from flask_smorest.fields import Upload
from marshmallow import Schema, ValidationError, fields, post_load, validate

from stemsvc.jobs import FORMATS, JobState
from stemsvc.pools import DEVICES
from stemsvc.separation import MAX_OVERLAP, MAX_SEED, MAX_SHIFTS, PRECISIONS, SeparationOptions

DEFAULTS = SeparationOptions()
MOST_METADATA = 4096  # bytes
DEEPEST_METADATA = 20


class StemsField(fields.Field[tuple[str, ...]]):
    """Stem names, separated by commas or in fields of their own; none means all."""

    is_multiple = True  # what webargs looks at to hand over every field of the name

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        names = (name.strip() for part in value for name in str(part).split(","))
        return tuple(dict.fromkeys(filter(None, names)))


class MetadataField(fields.Field[dict[str, Any]]):
    """A small JSON object of the client's own."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if len(str(value).encode(errors="replace")) > MOST_METADATA:
            raise ValidationError(f"longer than {MOST_METADATA} bytes")
        try:
            found = json.loads(str(value), parse_constant=_no_number, parse_float=_finite) if value else {}
        except (ValueError, RecursionError) as error:
            raise ValidationError("no JSON") from error
        if not isinstance(found, dict):
            raise ValidationError("no JSON object")
        _check_plain(found)
        return found


def _check_plain(value: Any) -> None:
    """Refuse what not every database and reader takes: depth, NUL, half surrogates. Without recursion, which ends."""
    level = [value]
    for _ in range(DEEPEST_METADATA):
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [part for each in inner for part in ([*each, *each.values()] if isinstance(each, dict) else each)]
        if any("\0" in text or not _is_text(text) for text in level if isinstance(text, str)):
            raise ValidationError("NUL or half a surrogate in it")
    if any(isinstance(each, dict | list) for each in level):
        raise ValidationError(f"nested more than {DEEPEST_METADATA} deep")


def _is_text(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # 1e999, which would come back as no JSON
        raise ValueError(f"{text} is too large")
    return number


class JobForm(Schema):
    """A track and what to make of it."""

    # counted and checked by `the_upload`, which has better words than "missing data"
    file = Upload(metadata={"description": "the track: wav, flac, mp3, ogg, opus, m4a, aac, aiff, webm and more"})
    model = fields.String(metadata={"description": "a name from `GET /v1/models`; the default there where empty"})
    device = fields.String(load_default="auto", validate=validate.OneOf(("auto", *DEVICES)))
    stems = StemsField(
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


class ProgressSchema(Schema):
    """How far a job is."""

    fraction = fields.Float(metadata={"description": "finished segments over all segments of this attempt, 0 to 1"})
    stage = fields.String(
        metadata={
            "description": "queued, starting, fetching, decoding, loading, downloading (weights), waiting, separating, "
            "encoding, uploading, done, failed or canceled"
        }
    )
    eta_seconds = fields.Float(
        allow_none=True, metadata={"description": "from the pace so far; null before the first segment"}
    )


class StemSchema(Schema):
    """One finished file."""

    url = fields.Url(metadata={"description": "signed; anyone who has it can download until it expires"})
    expires_at = fields.DateTime()
    filename = fields.String(metadata={"description": "what a download of it is called"})
    bytes = fields.Integer()
    sha256 = fields.String()
    duration_seconds = fields.Float()
    frames = fields.Integer(metadata={"description": "samples per channel"})
    sample_rate = fields.Integer()
    content_type = fields.String()
    clipped_samples = fields.Integer(
        metadata={"description": "samples beyond full scale that an integer format had to clip"}
    )


class MoveSchema(Schema):
    """One line of a job's timeline."""

    at = fields.DateTime()
    from_state = fields.String(data_key="from", allow_none=True)
    to_state = fields.String(data_key="to")
    why = fields.String()
    worker = fields.String(allow_none=True)


class JobErrorSchema(Schema):
    """Why a job failed."""

    code = fields.String(metadata={"description": "stable, for programs"})
    detail = fields.String(metadata={"description": "for people"})


class SourceSchema(Schema):
    """What the track turned out to be."""

    codec = fields.String()
    sample_rate = fields.Integer()
    channels = fields.Integer(metadata={"description": "as sent; more than two are mixed down to stereo"})
    frames = fields.Integer()
    duration_seconds = fields.Float()
    broken_packets = fields.Integer(metadata={"description": "damaged parts of the file that had to be left out"})


class JobSchema(Schema):
    """A job."""

    id = fields.String()
    state = fields.String(metadata={"enum": [str(state) for state in JobState]})
    model = fields.String()
    device = fields.String()
    format = fields.String()
    bit_depth = fields.String(allow_none=True)
    residual = fields.Boolean()
    overlap = fields.Float()
    shifts = fields.Integer()
    seed = fields.Integer()
    segment = fields.Float(allow_none=True, metadata={"description": "seconds; null: the model's own"})
    precision = fields.String(metadata={"enum": list(PRECISIONS)})
    filename = fields.String()
    progress = fields.Nested(ProgressSchema)
    queue_position = fields.Integer(
        allow_none=True, metadata={"description": "jobs of the pool that wait before this one"}
    )
    pool = fields.String()
    attempt = fields.Integer()
    max_attempts = fields.Integer()
    created_at = fields.DateTime()
    started_at = fields.DateTime(allow_none=True)
    finished_at = fields.DateTime(allow_none=True)
    source = fields.Nested(SourceSchema, allow_none=True)
    filename_template = fields.String()
    metadata = fields.Dict(keys=fields.String(), metadata={"description": "as it was sent"})
    stems = fields.Dict(keys=fields.String(), values=fields.Nested(StemSchema))
    error = fields.Nested(JobErrorSchema, allow_none=True)
    timeline = fields.List(fields.Nested(MoveSchema))


class JobSummarySchema(Schema):
    """A job in a list."""

    id = fields.String()
    state = fields.String(metadata={"enum": [str(state) for state in JobState]})
    model = fields.String()
    filename = fields.String()
    progress = fields.Nested(ProgressSchema)
    attempt = fields.Integer()
    created_at = fields.DateTime()
    started_at = fields.DateTime(allow_none=True)
    finished_at = fields.DateTime(allow_none=True)
    error = fields.Nested(JobErrorSchema, allow_none=True)


class JobPageSchema(Schema):
    """Some jobs, newest first."""

    jobs = fields.List(fields.Nested(JobSummarySchema))
    next_cursor = fields.String(allow_none=True, metadata={"description": "of the page after this; null at the end"})


class MomentField(fields.AwareDateTime):
    """A moment in ISO 8601, in UTC where it names no zone, as seconds since the epoch."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, attr, data, **kwargs).timestamp()


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


class ModelSchema(Schema):
    """A model that can be asked for."""

    name = fields.String()
    summary = fields.String()
    stems = fields.List(fields.String())
    sample_rate = fields.Integer()
    segment_seconds = fields.Float()
    licence = fields.String()
    licence_doubt = fields.String(allow_none=True, metadata={"description": "what is unsettled about the licence"})
    deprecated = fields.String(allow_none=True, metadata={"description": "why it should not be used any more"})
    fallback = fields.String(allow_none=True, metadata={"description": "the model to take where it can't be had"})
    default = fields.Boolean()
    devices = fields.List(fields.String(), metadata={"description": "devices that a pool is configured for"})


class ModelsSchema(Schema):
    """The catalog."""

    models = fields.List(fields.Nested(ModelSchema))


class HealthSchema(Schema):
    """Whether the service can do its work."""

    status = fields.String(metadata={"enum": ["ok", "degraded", "unavailable"]})
    parts = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"description": "`ok` or an error code"})
