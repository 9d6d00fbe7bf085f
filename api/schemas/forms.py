"""What clients send: forms, JSON bodies, queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from flask_smorest.fields import Upload
from marshmallow import Schema, ValidationError, fields, post_load, validate, validates, validates_schema

from api.edge.plain_json import is_plain
from api.schemas.fields import (
    MOST_METADATA,
    UNPLAIN,
    JsonNested,
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
MOST_SEARCHED = 200  # characters of a search
MIN_RATE, MAX_RATE = 8000, 192000  # Hz; the decoder has the same limits


class SourceForm(TypedSchema):
    """Where a track is: one of `url`, `upload_id` and `job_id`."""

    url = fields.String(
        validate=validate.Length(1),
        metadata={"description": "a link to a file, or to a page of YouTube or another site that yt-dlp knows"},
    )
    upload_id = fields.String(metadata={"description": "an id from `POST /v1/uploads`; send its file first"})
    job_id = fields.String(
        metadata={"description": "the id of a job that has succeeded: one of its files is the track"}
    )
    output = fields.String(
        metadata={
            "description": "with `job_id`: the name of the file in that job's `files`. Without it the job's only audio "
            "file is taken, or all of them where several tracks may come",
            "example": "vocals",
        }
    )
    file = fields.String(metadata={"description": "in a multipart form: the name of the part that has the file"})

    @validates_schema
    def _one(self, data: dict[str, Any], **kwargs: Any) -> None:
        if len({"url", "upload_id", "job_id", "file"} & set(data)) != 1:
            raise ValidationError("name exactly one of url, upload_id and job_id")
        if "output" in data and "job_id" not in data:
            raise ValidationError("an output is that of a job: name its job_id")


# What `SourceForm` makes of a source; None is the file in the request's part `file`.
SourceFields = dict[str, str] | None
# The audio outputs of a job of that id. Raises what `stemsvc.control.job_outputs.JobOutputs` raises.
OutputsOf = Callable[[str], Sequence[str]]


class KindForm(TypedSchema):
    """What every kind of job takes: a track and the envelope. A kind's own form adds its params beside them.

    Clients send its jobs to `POST /v1/<path>`. `operation` is the operationId of that call.
    """

    path: ClassVar[str]
    operation: ClassVar[str]
    example: ClassVar[dict[str, Any] | None] = None  # of a JSON body; None: one with a source
    several: ClassVar[bool] = False  # whether more than one track comes: then files may be in parts of any name

    # `the_file` counts and checks the files, because its errors say more than "missing data"
    file = Upload(metadata={"description": "the track: wav, flac, mp3, ogg, opus, m4a, aac, aiff, webm and more"})
    source = JsonNested(SourceForm, load_default=None)

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

    @classmethod
    def spread(cls, form: dict[str, Any], outputs_of: OutputsOf) -> dict[str, Any]:
        """The form's fields with an entry for each output of a job that was named as a whole, in forms whose entries
        have more than a source. Elsewhere an entry stays one, and becomes several inputs of its role."""
        return form

    @classmethod
    def sources(cls, form: dict[str, Any]) -> Sequence[tuple[str, SourceFields]]:
        """The role and the source of each input, in the order in which the work gets them."""
        return [("source", form["source"])]

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
    parts = fields.Boolean(
        load_default=False,
        metadata={"description": "send it in parts, so that an upload that is cut goes on where it was; needs `bytes`"},
    )


def _matching(pattern: str) -> dict[str, Any]:
    """A field's arguments for texts that match as a whole. The description has the pattern as ECMA-262 writes it."""
    return {"validate": validate.Regexp(rf"{pattern}\Z"), "metadata": {"pattern": f"^{pattern}$"}}


class JobQuery(Schema):
    """Which jobs to list."""

    states = fields.List(
        fields.Enum(JobState, by_value=True),
        load_default=(),
        data_key="state",
        metadata={"description": "one or more states, each in its own parameter"},
    )
    q = fields.String(
        load_default="",
        validate=validate.Length(0, MOST_SEARCHED),
        metadata={"description": "words that the track's name has, all of them, in any order and case"},
    )
    mine = fields.Boolean(
        load_default=False, metadata={"description": "true: a key with the scope `admin` gets its own jobs alone"}
    )
    kind = fields.String(load_default=None, **_matching(r"[a-z][a-z0-9_-]{0,63}"))
    model = fields.String(load_default=None, **_matching(r"[\w/-]{1,200}"))
    created_after = MomentField(load_default=None)
    created_before = MomentField(load_default=None)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(load_default=None, metadata={"description": "`next_cursor` of the previous page"})

    @validates("q")
    def _plain(self, text: str, **kwargs: Any) -> None:
        if not is_plain(text):
            raise ValidationError(UNPLAIN)

    @post_load
    def _states(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {**data, "states": tuple(data["states"])}
