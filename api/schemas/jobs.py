"""Jobs as answers show them: apart from the record, so that it can change without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, post_dump

from api.schemas.answers import AnswerSchema, ProblemSchema
from api.schemas.files import FILE_ENDS, URL_ENDS, ArchiveSchema, LinkSchema, PreviewSchema, SignedSchema
from stemsvc.jobs.record import JobState, Priority
from stemsvc.kinds.separate.options import PRECISIONS


class ProgressSchema(AnswerSchema):
    """How far a job has come."""

    fraction = fields.Float(metadata={"description": "finished segments over all segments of this attempt, 0 to 1"})
    stage = fields.String(
        metadata={
            "description": "queued, waiting_for_pool (no worker of its pool is alive), starting, fetching, decoding, "
            "loading, downloading (weights), converting (a network, once), waiting, separating, encoding, uploading, "
            "done, failed or canceled"
        }
    )
    eta_seconds = fields.Float(
        allow_none=True,
        metadata={
            "description": "until the last segment is done, at the pace of those that are; null before the first"
        },
    )


class StemSchema(AnswerSchema):
    """One finished file. Only audio has a length, a sample rate and the like."""

    url = fields.Url(metadata={"description": "signed; anyone who has it can download until it expires"})
    expires_at = fields.DateTime(metadata={"description": URL_ENDS})
    kept_until = fields.DateTime(allow_none=True, metadata={"description": FILE_ENDS})
    filename = fields.String(metadata={"description": "name of the downloaded file"})
    bytes = fields.Integer()
    sha256 = fields.String()
    duration_seconds = fields.Float()
    frames = fields.Integer(metadata={"description": "samples per channel"})
    sample_rate = fields.Integer()
    channels = fields.Integer(metadata={"description": "2; 1 for a mono track with `channels: source`"})
    content_type = fields.String()
    stem = fields.String(
        metadata={"description": "what the file has; a job of several formats has several files of it"}
    )
    format = fields.String()
    clipped_samples = fields.Integer(
        metadata={"description": "samples beyond full scale that an integer format had to clip"}
    )
    clipped = fields.Boolean(metadata={"description": "whether any sample was clipped"})
    silent = fields.Boolean(metadata={"description": "whether its peak is below -80 dB of full scale"})
    loudness_lufs = fields.Float(
        allow_none=True,
        metadata={"description": "integrated loudness by EBU R 128; null for silence and for less than 0.4 s"},
    )
    peak_db = fields.Float(
        allow_none=True,
        metadata={"description": "highest sample in dBFS, before any clipping; null for pure silence"},
    )
    true_peak_db = fields.Float(
        allow_none=True,
        metadata={"description": "highest point of the wave between the samples in dBTP, by ITU-R BS.1770"},
    )
    peak = fields.Float(metadata={"description": "highest sample as a share of full scale; see `peak_db`"})

    @post_dump(pass_original=True)
    def _facts(self, data: dict[str, Any], original: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Keep what a kind found out of its file and this schema does not know."""
        return {**{name: value for name, value in original.items() if name not in data}, **data}


class JobUrlsSchema(AnswerSchema):
    """Where to ask what of a job."""

    self = fields.Url()
    cancel = fields.Url(metadata={"description": "POST"})
    events = fields.Url(metadata={"description": "server-sent events"})
    archive = fields.Url(allow_none=True, metadata={"description": "all files in one; null while there are none"})


class MoveSchema(AnswerSchema):
    """One entry of a job's timeline."""

    at = fields.DateTime()
    from_state = fields.String(data_key="from", allow_none=True)
    to_state = fields.String(data_key="to")
    why = fields.String()
    worker = fields.String(allow_none=True)


class JobErrorSchema(AnswerSchema):
    """Why a job failed."""

    code = fields.String(metadata={"description": "stable, for programs"})
    detail = fields.String(metadata={"description": "for people"})


class WarningSchema(AnswerSchema):
    """What is wrong with the track or the work although the job could be done."""

    code = fields.String(metadata={"description": "stable, for programs"})
    detail = fields.String(metadata={"description": "for people"})


class SourceSchema(AnswerSchema):
    """What was found out about the track, or about the part of it that the job worked on."""

    codec = fields.String()
    sample_rate = fields.Integer()
    channels = fields.Integer(
        metadata={"description": "of the track as it was sent; more than two are mixed down to stereo"}
    )
    frames = fields.Integer()
    duration_seconds = fields.Float()
    broken_packets = fields.Integer(metadata={"description": "packets of the file that can't be decoded"})


class JobInputSchema(AnswerSchema):
    """What a job worked on."""

    name = fields.String()
    role = fields.String(metadata={"description": "such as `source`, or `reference` of a master"})
    job_id = fields.String(allow_none=True, metadata={"description": "the job that made it; null: it was sent"})
    output = fields.String(allow_none=True, metadata={"description": "its name in that job's `files`"})


class JobSchema(AnswerSchema):
    """A job."""

    id = fields.String()
    kind = fields.String(metadata={"description": "the kind of work, such as `separate`"})
    params = fields.Dict(
        keys=fields.String(), metadata={"description": "the parameters of its kind, with defaults filled in"}
    )
    state = fields.String(metadata={"enum": [str(state) for state in JobState]})
    model = fields.String(metadata={"description": "empty for a kind without models"})
    device = fields.String()
    format = fields.String()
    formats = fields.List(fields.String(), metadata={"description": "every format of the files"})
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
        allow_none=True,
        metadata={"description": "jobs of the pool that start before this one; 10,000 stands for 10,000 or more"},
    )
    priority = fields.String(metadata={"enum": [each.word for each in Priority]})
    pool = fields.String()
    attempt = fields.Integer()
    max_attempts = fields.Integer()
    created_at = fields.DateTime()
    started_at = fields.DateTime(allow_none=True)
    finished_at = fields.DateTime(allow_none=True)
    source = fields.Nested(SourceSchema, allow_none=True)
    inputs = fields.List(
        fields.Nested(JobInputSchema), metadata={"description": "what it works on, in the order in which it was named"}
    )
    sample_rate = fields.Integer(
        allow_none=True, metadata={"description": "Hz of the stems, as requested; null: the track's own"}
    )
    source_url = fields.String(allow_none=True, metadata={"description": "where the track was fetched from"})
    webhook_url = fields.String(allow_none=True)
    webhook_events = fields.List(fields.String())
    cached = fields.Boolean(metadata={"description": "whether the stems come from an earlier, identical job"})
    retry_of = fields.String(allow_none=True, metadata={"description": "id of the job that this one tries again"})
    urls = fields.Nested(JobUrlsSchema)
    manifest = fields.Nested(
        LinkSchema,
        allow_none=True,
        metadata={"description": "how the stems were made: weights, versions, hashes, loudness, times, as JSON"},
    )
    archive = fields.Nested(
        ArchiveSchema, allow_none=True, metadata={"description": "one zip of all files; null while there are none"}
    )
    cover = fields.Nested(
        SignedSchema,
        allow_none=True,
        metadata={"description": "the picture in the song's file, as JPEG or PNG; null where it has none"},
    )
    peaks = fields.Nested(
        SignedSchema,
        allow_none=True,
        metadata={"description": "the stems' waveforms at several zooms; null where there are none"},
    )
    preview = fields.Nested(
        PreviewSchema, allow_none=True, metadata={"description": "null where the service makes none"}
    )
    filename_template = fields.String()
    tags = fields.Boolean(metadata={"description": "whether the files carry the tags and the cover of the track"})
    title_template = fields.String(metadata={"description": "of the title in the files' tags"})
    metadata = fields.Dict(
        keys=fields.String(), metadata={"description": "the client's own JSON object, as it was sent"}
    )
    files = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(StemSchema),
        metadata={"description": "all files that the job made, by name"},
    )
    facts = fields.Dict(keys=fields.String(), metadata={"description": "what the job found out, apart from its files"})
    stems = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(StemSchema),
        metadata={"description": "the same as `files` for a separation, else empty"},
    )
    error = fields.Nested(JobErrorSchema, allow_none=True)
    warnings = fields.List(fields.Nested(WarningSchema), metadata={"description": "empty for most jobs"})
    timeline = fields.List(fields.Nested(MoveSchema))


class JobSummarySchema(AnswerSchema):
    """A job in a list."""

    id = fields.String()
    kind = fields.String()
    state = fields.String(metadata={"enum": [str(state) for state in JobState]})
    model = fields.String()
    name = fields.String(metadata={"description": "the track's name without the ending of its file"})
    filename = fields.String()
    format = fields.String()
    stems = fields.List(
        fields.String(),
        metadata={"description": "what it made; before its end what was asked for, empty: all of the model's"},
    )
    duration_seconds = fields.Float(allow_none=True, metadata={"description": "of the track; null until it is known"})
    stems_expire_at = fields.DateTime(allow_none=True, metadata={"description": FILE_ENDS})
    progress = fields.Nested(ProgressSchema)
    attempt = fields.Integer()
    created_at = fields.DateTime()
    started_at = fields.DateTime(allow_none=True)
    finished_at = fields.DateTime(allow_none=True)
    error = fields.Nested(JobErrorSchema, allow_none=True)


class JobPageSchema(AnswerSchema):
    """Some jobs, newest first."""

    jobs = fields.List(fields.Nested(JobSummarySchema))
    next_cursor = fields.String(
        allow_none=True, metadata={"description": "cursor of the next page; null on the last page"}
    )


class BatchItemSchema(AnswerSchema):
    """The result of one job of a batch: a job or an error."""

    status = fields.Integer(metadata={"description": "the HTTP status that the job alone would have had"})
    job = fields.Nested(JobSchema)
    error = fields.Nested(ProblemSchema)
    replayed = fields.Boolean(metadata={"description": "whether an earlier request, with the same key, made the job"})


class BatchSchema(AnswerSchema):
    """The result of each job, in the order of the request."""

    results = fields.List(fields.Nested(BatchItemSchema))
