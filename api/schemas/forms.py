"""What clients send."""

from __future__ import annotations

from typing import Any, ClassVar

from flask_smorest.fields import Upload
from marshmallow import Schema, ValidationError, fields, post_load, validate, validates, validates_schema

from api.schemas.fields import MOST_METADATA, MetadataField, MomentField, NamesField, TypedSchema
from stemsvc.accounts.webhooks import EventType
from stemsvc.jobs.encoding import FORMATS
from stemsvc.jobs.pools import DEVICES
from stemsvc.jobs.record import JobState, Priority

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


class KindForm(TypedSchema):
    """What every kind of job takes: a track, and the envelope. A kind's own form adds its params, flat.

    `path` is where its jobs are sent: `POST /v1/<path>`; `operation` is what generated clients call that.
    """

    path: ClassVar[str]
    operation: ClassVar[str]

    # counted and checked by `the_file`, which has better words than "missing data"
    file = Upload(metadata={"description": "the track: wav, flac, mp3, ogg, opus, m4a, aac, aiff, webm and more"})
    source = fields.Nested(SourceForm, load_default=None)

    device = fields.String(load_default="auto", validate=validate.OneOf(("auto", *DEVICES)))
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
    metadata = MetadataField(
        load_default=dict,
        metadata={
            "type": "string",
            "description": f"a JSON object of yours, at most {MOST_METADATA} bytes, given back with the job",
            "example": '{"album": 7}',
        },
    )

    @validates("webhook_events")
    def _known(self, names: tuple[str, ...], **kwargs: Any) -> None:
        if unknown := [name for name in names if name not in list(EventType)]:
            raise ValidationError(f"{unknown[0]!r} is none of {', '.join(EventType)}")


class EncodedForm(KindForm):
    """What every kind takes that makes audio."""

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
    filename_template = fields.String(
        load_default="",
        metadata={"description": "names of downloads, of {name}, {stem} and {model}", "example": "{name} [{stem}]"},
    )


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
    kind = fields.String(load_default=None, validate=validate.Regexp(r"[a-z][a-z0-9_-]{0,63}\Z"))
    model = fields.String(load_default=None, validate=validate.Regexp(r"[\w/-]{1,200}\Z"))
    created_after = MomentField(load_default=None)
    created_before = MomentField(load_default=None)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(load_default=None, metadata={"description": "`next_cursor` of the page before"})

    @post_load
    def _states(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {**data, "states": tuple(data["states"])}
