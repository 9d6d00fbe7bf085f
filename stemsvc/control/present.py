"""A job as clients see it, in answers and in webhooks."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from stemsvc.jobs.filenames import DEFAULT_TEMPLATE, manifest_filename, stem_filename
from stemsvc.jobs.record import CONTENT_TYPES, Event, Job, JobState, JobView
from stemsvc.storage import Storage


@dataclass(frozen=True)
class Links:
    """How URLs are made: signed by `storage` for `seconds`, relative ones below `base`."""

    storage: Storage
    seconds: int
    base: str

    def sign(self, key: str, filename: str, content_type: str) -> dict[str, Any]:
        """A fresh URL of an object, and when it ends."""
        expires = datetime.fromtimestamp(int(time.time()) + self.seconds, UTC)
        url = self.storage.signed_url(key, self.seconds, filename, content_type)
        return {"filename": filename, "url": urljoin(self.base, url), "expires_at": expires}


def job_body(links: Links, view: JobView) -> dict[str, Any]:
    """Everything of a job that its client may see; moments are datetimes."""
    job = view.job
    options = job.options
    return {
        "id": job.id,
        "state": str(job.state),
        "model": options.model,
        "device": options.device,
        "format": options.format,
        "bit_depth": options.bit_depth,
        "residual": options.residual,
        **asdict(options.separation),
        "filename": job.input_name,
        "progress": {
            "fraction": round(job.fraction, 4),
            "stage": job.stage,
            "eta_seconds": eta(job.state, job.started_at, job.fraction),
        },
        "queue_position": view.queue_position,
        "priority": options.priority,
        "pool": job.pool,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
        "source": job.source or None,
        "filename_template": options.filename_template or DEFAULT_TEMPLATE,
        "metadata": options.metadata,
        "sample_rate": options.sample_rate,
        "source_url": options.source_url or None,
        "webhook_url": options.webhook_url or None,
        "webhook_events": list(options.webhook_events),
        "cached": job.cached,
        "stems": _stems(links, job) if job.state is JobState.SUCCEEDED else {},
        "manifest": _manifest(links, job),
        "error": {"code": job.error_code, "detail": job.error_detail} if job.error_code else None,
        "timeline": [line(event) for event in view.timeline],
    }


def line(event: Event) -> dict[str, Any]:
    """A line of a job's timeline."""
    return {
        "at": _moment(event.at), "from_state": event.from_state, "to_state": event.to_state, "why": event.why,
        "worker": event.worker,
    }  # fmt: skip


def summary(job: Job) -> dict[str, Any]:
    """The fields of `JobSummarySchema`."""
    return {
        "id": job.id,
        "state": str(job.state),
        "model": job.options.model,
        "filename": job.input_name,
        "progress": {
            "fraction": round(job.fraction, 4),
            "stage": job.stage,
            "eta_seconds": eta(job.state, job.started_at, job.fraction),
        },
        "attempt": job.attempt,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
        "error": {"code": job.error_code, "detail": job.error_detail} if job.error_code else None,
    }


def _stems(links: Links, job: Job) -> dict[str, Any]:
    content_type = CONTENT_TYPES[job.options.format]
    stems: dict[str, Any] = {}
    for name, output in job.outputs.items():
        facts = {key: value for key, value in output.items() if key != "key"}
        signed = links.sign(output["key"], stem_filename(job, name), content_type)
        stems[name] = {**facts, **signed, "content_type": content_type}
    return stems


def _manifest(links: Links, job: Job) -> dict[str, Any] | None:
    if job.state is not JobState.SUCCEEDED or job.manifest_key is None:
        return None
    return links.sign(job.manifest_key, manifest_filename(job), "application/json")


def eta(state: JobState, started_at: float | None, fraction: float) -> float | None:
    """Seconds left at the pace of the finished segments; None where there is no pace yet."""
    if state is not JobState.RUNNING or started_at is None or not 0 < fraction < 1:
        return None
    elapsed = max(0.0, time.time() - started_at)
    return round(elapsed * (1 - fraction) / fraction, 1)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
