"""What clients send: forms, JSON bodies, queries."""

from __future__ import annotations

from typing import Any, ClassVar

from flask_smorest.fields import Upload
from marshmallow import Schema, ValidationError, fields, post_load, validate, validates, validates_schema

from api.schemas.fields import (
    MOST_METADATA,
    MetadataField,
    MomentField,
    NamesField,
    TypedSchema,
)
from stemsvc.accounts.webhooks import EventType
from stemsvc.jobs.encoding import FORMATS
from stemsvc.jobs.pools import DEVICES
from stemsvc.jobs.record import JobState, Priority

DEFAULT_PRIORITY = Priority.NORMAL.word
MOST_JOBS = 100  # in one batch
MIN_RATE, MAX_RATE = 8000, 192000  # Hz; the decoder has the same limits


class SourceForm(TypedSchema):
    """Where the track is: exactly one of the two fields."""

    url = fields.String(
        validate=validate.Length(1),
        metadata={"description": "a link to a file, or to a page of YouTube or another site that yt-dlp knows"},
    )
    upload_id = fields.String(metadata={"description": "an id from `POST /v1/uploads`; send its file first"})

    @validates_schema
    def _one(self, data: dict[str, Any], **kwargs: Any) -> None:
        if len(data) != 1:
            raise ValidationError("name exactly one of url and upload_id")


class KindForm(TypedSchema):
    """What every kind of job takes: a track and the envelope. A kind's own form adds its params beside them.

    Clients send its jobs to `POST /v1/<path>`. `operation` is the operationId of that call.
    """

    path: ClassVar[str]
    operation: ClassVar[str]

    # `the_file` counts and checks the files, because its errors say more than "missing data"
    file = Upload(metadata={"description": "the track: wav, flac, mp3, ogg, opus, m4a, aac, aiff, webm and more"})
    source = fields.Nested(SourceForm, load_default=None)

    device = fields.String(load_default="auto", validate=validate.OneOf(("auto", *DEVICES)))
    priority = fields.String(
        load_default="",  # the highest that the key may send, at most the default that is described
        validate=validate.OneOf([each.word for each in Priority]),
        metadata={
            "default": DEFAULT_PRIORITY,
            "description": "all `high` jobs of a pool start before its `normal` jobs, and those before its `low` jobs; "
            "a key has a highest priority, and without this field its jobs are `low` if that is `low`",
        },
    )
    cache = fields.Boolean(
        load_default=True,
        metadata={"description": "false: do the work again, even if this key has an earlier, identical job"},
    )
    webhook_url = fields.String(
        load_default="",
        metadata={
            "description": "the URL to which the job's webhooks are delivered, by Standard Webhooks",
        },
    )
    webhook_events = NamesField(
        load_default=(),
        metadata={
            "type": "string",
            "description": "events that a webhook delivers, separated by commas, of "
            f"{', '.join(f'`{event}`' for event in EventType)}; empty: the job's end",
            "example": "job.succeeded,job.progress",
        },
    )
    metadata = MetadataField(
        load_default=dict,
        metadata={
            "type": "string",
            "description": f"your own JSON object, which the job carries, of at most {MOST_METADATA} bytes",
            "example": '{"album": 7}',
        },
    )

    @validates("webhook_events")
    def _known(self, names: tuple[str, ...], **kwargs: Any) -> None:
        if unknown := [name for name in names if name not in list(EventType)]:
            raise ValidationError(f"{unknown[0]!r} is not one of {', '.join(EventType)}")


class EncodedForm(KindForm):
    """What every kind of job takes that makes audio."""

    format = fields.String(load_default="flac", metadata={"enum": list(FORMATS)})
    bit_depth = fields.String(
        load_default=None, metadata={"description": "wav: 16, 24, float32; flac: 16, 24; none for lossy formats"}
    )
    sample_rate = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(MIN_RATE, MAX_RATE),
        metadata={"description": "Hz of the stems; empty: the track's own"},
    )
    filename_template = fields.String(
        load_default="",
        metadata={
            "description": "name of a downloaded file, from {name}, {stem} and {model}",
            "example": "{name} [{stem}]",
        },
    )


class BatchForm(TypedSchema):
    """Several jobs. Each has a `source`; a batch has no files."""

    cleaned = ("jobs",)

    # each job is checked by itself, so that an error in one does not refuse the others
    jobs = fields.List(
        fields.Dict(keys=fields.String()),
        required=True,
        validate=validate.Length(1, MOST_JOBS),
        metadata={"description": f"1 to {MOST_JOBS} bodies of `POST /v1/jobs`"},
    )


class UploadForm(TypedSchema):
    """A file that the client will send."""

    cleaned = ("filename",)

    filename = fields.String(load_default="", metadata={"description": "the track's file name"})
    bytes = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1),
        metadata={"description": "its size, if known; then a file of any other size is refused"},
    )


def _matching(pattern: str) -> dict[str, Any]:
    """A field's arguments for texts that match as a whole. The description has the pattern as ECMA-262 writes it."""
    return {"validate": validate.Regexp(rf"{pattern}\Z"), "metadata": {"pattern": f"^{pattern}$"}}


class UsageQuery(Schema):
    """The time of a usage report."""

    since = MomentField(load_default=None, metadata={"description": "empty: 30 days before `until`"})
    until = MomentField(load_default=None, metadata={"description": "empty: now"})


class JobQuery(Schema):
    """Which jobs to list."""

    states = fields.List(
        fields.Enum(JobState, by_value=True),
        load_default=(),
        data_key="state",
        metadata={"description": "one or more states, each in its own parameter"},
    )
    kind = fields.String(load_default=None, **_matching(r"[a-z][a-z0-9_-]{0,63}"))
    model = fields.String(load_default=None, **_matching(r"[\w/-]{1,200}"))
    created_after = MomentField(load_default=None)
    created_before = MomentField(load_default=None)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(load_default=None, metadata={"description": "`next_cursor` of the previous page"})

    @post_load
    def _states(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {**data, "states": tuple(data["states"])}
