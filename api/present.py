"""A job as clients see it."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from flask import request

from stemsvc.jobs import CONTENT_TYPES, Job, JobState, JobView
from stemsvc.names import DEFAULT_TEMPLATE, stem_filename
from stemsvc.services import Services


def job_body(parts: Services, view: JobView) -> dict[str, Any]:
    """The fields of `JobSchema`."""
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
        "progress": {"fraction": round(job.fraction, 4), "stage": job.stage, "eta_seconds": _eta(job)},
        "queue_position": view.queue_position,
        "pool": job.pool,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
        "source": job.source or None,
        "filename_template": options.filename_template or DEFAULT_TEMPLATE,
        "metadata": options.metadata,
        "stems": _stems(parts, job) if job.state is JobState.SUCCEEDED else {},
        "error": {"code": job.error_code, "detail": job.error_detail} if job.error_code else None,
        "timeline": [
            {"at": _moment(e.at), "from_state": e.from_state, "to_state": e.to_state, "why": e.why, "worker": e.worker}
            for e in view.timeline
        ],
    }


def summary(job: Job) -> dict[str, Any]:
    """The fields of `JobSummarySchema`."""
    return {
        "id": job.id,
        "state": str(job.state),
        "model": job.options.model,
        "filename": job.input_name,
        "progress": {"fraction": round(job.fraction, 4), "stage": job.stage, "eta_seconds": _eta(job)},
        "attempt": job.attempt,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
        "error": {"code": job.error_code, "detail": job.error_detail} if job.error_code else None,
    }


def _stems(parts: Services, job: Job) -> dict[str, Any]:
    ttl = parts.settings.url_ttl_seconds
    content_type = CONTENT_TYPES[job.options.format]
    expires = datetime.fromtimestamp(int(time.time()) + ttl, UTC)
    stems: dict[str, Any] = {}
    for name, output in job.outputs.items():
        filename = stem_filename(job, name)
        url = parts.storage.signed_url(output["key"], ttl, filename, content_type)
        facts = {key: value for key, value in output.items() if key != "key"}
        stems[name] = {
            **facts,
            "filename": filename,
            "url": urljoin(request.host_url, url),
            "expires_at": expires,
            "content_type": content_type,
        }
    return stems


def _eta(job: Job) -> float | None:
    """Seconds left at the pace of the finished segments; None where there is no pace yet."""
    if job.state is not JobState.RUNNING or job.started_at is None or not 0 < job.fraction < 1:
        return None
    elapsed = max(0.0, time.time() - job.started_at)
    return round(elapsed * (1 - job.fraction) / job.fraction, 1)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
