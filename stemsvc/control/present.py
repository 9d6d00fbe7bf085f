"""A job as clients see it, in answers and in webhooks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from stemsvc.accounts.retention import Retention
from stemsvc.control.archive import zip_bytes
from stemsvc.jobs.filenames import (
    DEFAULT_TEMPLATE,
    archive_filename,
    manifest_filename,
    output_filename,
    without_ending,
)
from stemsvc.jobs.levels import decibels
from stemsvc.jobs.record import Event, Job, JobState, JobView
from stemsvc.jobs.spec import Input
from stemsvc.jobs.titles import DEFAULT_TEMPLATE as TITLES
from stemsvc.jobs.warnings import to_json
from stemsvc.kinds import registry
from stemsvc.storage import Storage
from stemsvc.storage.signing import Signer

SEPARATE = "separate"  # the kind whose files release 0.1 called stems
OURS = ("key", "crc32")  # what a file's row has for us alone
# What a shared page shows of a job: nothing of its client, its workers or its machine.
PUBLIC = ("kind", "state", "model", "format", "progress", "created_at", "finished_at", "source", "files", "archive")
PLAYED = ("cover", "peaks", "preview")  # links for the page's player, where the kind's work makes them


@dataclass(frozen=True)
class Links:
    """How URLs are made: `storage` signs them for `seconds`, and relative ones start at `base`, the api's address.

    `signer` signs those that the api serves on any storage. `retention` says how long a job's
    files are kept.
    """

    storage: Storage
    seconds: int
    base: str
    signer: Signer
    retention: Retention = field(default_factory=Retention)

    def sign(self, key: str, filename: str, content_type: str, sha256: str = "") -> dict[str, Any]:
        """A fresh URL of an object, the name it is saved under, and when the URL expires."""
        return self._signed(self.storage.signed_url(key, self.seconds, filename, content_type, sha256), filename)

    def archive(self, job: Job) -> dict[str, Any]:
        """A fresh URL of a zip of the job's files, as `sign`, and its size."""
        signed = self._signed(self.signer.archive_url(job.id, self.seconds), archive_filename(job))
        return {**signed, "bytes": zip_bytes(job)}

    def _signed(self, url: str, filename: str) -> dict[str, Any]:
        expires = datetime.fromtimestamp(int(time.time()) + self.seconds, UTC)
        return {"filename": filename, "url": urljoin(self.base, url), "expires_at": expires}

    def call(self, path: str) -> str:
        """The whole URL of one of the api's paths."""
        return self.base.rstrip("/") + path

    def kept_until(self, job: Job) -> datetime | None:
        """When the job's files are erased; None: never, or it has not ended."""
        return _kept_until(job, self.retention)


def _kept_until(job: Job, retention: Retention) -> datetime | None:
    seconds = retention.seconds(job.owner)
    return moment(job.finished_at + seconds) if job.finished_at and seconds else None


def job_body(links: Links, view: JobView) -> dict[str, Any]:
    """Everything of a job that its client may see; moments are datetimes."""
    job = view.job
    envelope, encoding, first = job.envelope, job.encoding, job.inputs[0] if job.inputs else None
    files = job_files(links, job)
    archive = links.archive(job) if files else None
    return {
        "id": job.id,
        "kind": job.kind,
        "state": str(job.state),
        "params": job.params,
        "model": job.spec.model,
        **_shown(job),
        "device": envelope.device,
        "format": encoding.format,
        "formats": [each.format for each in encoding.each],
        "bit_depth": encoding.bit_depth,
        "filename": job.name,
        "progress": _progress(job),
        "queue_position": view.queue_position,
        "priority": envelope.priority,
        "pool": job.pool,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "created_at": moment(job.created_at),
        "started_at": moment(job.started_at),
        "finished_at": moment(job.finished_at),
        "source": job.source or None,
        "inputs": [_input(each) for each in job.inputs],
        "filename_template": encoding.filename_template or DEFAULT_TEMPLATE,
        "tags": encoding.tags,
        "title_template": encoding.title_template or TITLES,
        "metadata": envelope.metadata,
        "sample_rate": encoding.sample_rate,
        "source_url": first.url or None if first else None,
        "webhook_url": envelope.webhook_url or None,
        "webhook_events": list(envelope.webhook_events),
        "cached": job.cached,
        "retry_of": job.retry_of,
        "urls": _urls(links, job, archive),
        "files": files,
        "facts": job.facts,
        "stems": files if job.kind == SEPARATE else {},
        "manifest": _manifest(links, job),
        "archive": archive,
        **_previews(links, job),
        "error": _error(job),
        "warnings": to_json(job.warnings),
        "timeline": [timeline_entry(event) for event in view.timeline],
    }


def public_body(links: Links, view: JobView) -> dict[str, Any]:
    """What anyone may see who has a link to the job."""
    body = job_body(links, view)
    shown = {name: body[name] for name in (*PUBLIC, *PLAYED) if name in body}
    return {"name": without_ending(view.job.name), **shown}


def _input(given: Input) -> dict[str, Any]:
    """What an input is called, and the output of another job that it is."""
    return {
        "name": given.name,
        "role": given.role,
        "job_id": given.from_job or None,
        "output": given.from_output or None,
    }


def _urls(links: Links, job: Job, archive: dict[str, Any] | None) -> dict[str, str | None]:
    """Where to ask what of the job. `archive` has no address until the job has files."""
    own = f"/v1/jobs/{job.id}"
    calls = {"self": own, "cancel": f"{own}/cancel", "events": f"{own}/events"}
    found = {name: links.call(path) for name, path in calls.items()}
    return {**found, "archive": archive["url"] if archive else None}


def _shown(job: Job) -> dict[str, Any]:
    """The fields that its kind adds; none where the kind is not installed here."""
    kind = registry.find(job.kind)
    return kind.shown(kind.read(job.params)) if kind else {}


def timeline_entry(event: Event) -> dict[str, Any]:
    """An entry of a job's timeline; its moment is a datetime.

    Answers call the states `from` and `to`. Webhooks did not until release 0.3, so theirs have both names.
    """
    return {
        "at": moment(event.at),
        "from": event.from_state,
        "to": event.to_state,
        "from_state": event.from_state,
        "to_state": event.to_state,
        "why": event.why,
        "worker": event.worker,
    }


def summary(job: Job, retention: Retention = Retention()) -> dict[str, Any]:  # noqa: B008 - it is frozen
    """The fields of `JobSummarySchema`."""
    made = dict.fromkeys(output.get("stem", name) for name, output in job.outputs.items())
    has_files = job.state is JobState.SUCCEEDED
    return {
        "id": job.id,
        "kind": job.kind,
        "state": str(job.state),
        "model": job.spec.model,
        "name": without_ending(job.name),
        "filename": job.name,
        "format": job.encoding.format,
        "stems": list(made or _asked_stems(job)),
        "duration_seconds": job.source.get("duration_seconds"),
        "stems_expire_at": _kept_until(job, retention) if has_files else None,
        "progress": _progress(job),
        "attempt": job.attempt,
        "created_at": moment(job.created_at),
        "started_at": moment(job.started_at),
        "finished_at": moment(job.finished_at),
        "error": _error(job),
    }


def _asked_stems(job: Job) -> Sequence[str]:
    """The stems that a job that is not done yet was asked for, where its params name them one by one."""
    asked = job.params.get("stems")
    return asked if isinstance(asked, list | tuple) else ()


def _progress(job: Job) -> dict[str, Any]:
    left = eta(job.state, job.fraction, job.expected_at)
    return {"fraction": round(job.fraction, 4), "stage": job.stage, "eta_seconds": left}


def _error(job: Job) -> dict[str, Any] | None:
    return {"code": job.error_code, "detail": job.error_detail} if job.error_code else None


def job_files(links: Links, job: Job) -> dict[str, Any]:
    """The files of a job that has succeeded, by their names, with fresh URLs; of any other job none."""
    if job.state is not JobState.SUCCEEDED:
        return {}
    files: dict[str, Any] = {}
    for name, output in job.outputs.items():
        facts = {key: value for key, value in output.items() if key not in OURS}
        content_type = output.get("content_type") or job.encoding.content_type  # release 0.1 did not store it
        signed = links.sign(output["key"], output_filename(job, name), content_type, output.get("sha256") or "")
        files[name] = {**_levels(facts), **signed, "kept_until": links.kept_until(job), "content_type": content_type}
    return files


def _levels(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of an audio file with its peaks in dB, which release 0.2 did not store."""
    if "peak" not in facts:
        return facts
    return {"peak_db": decibels(facts["peak"]), "true_peak_db": None, **facts}


def _manifest(links: Links, job: Job) -> dict[str, Any] | None:
    if job.state is not JobState.SUCCEEDED or job.manifest_key is None:
        return None
    signed = links.sign(job.manifest_key, manifest_filename(job), "application/json")
    return {**signed, "kept_until": links.kept_until(job)}


def _previews(links: Links, job: Job) -> dict[str, Any]:
    """What a player draws and streams, by the names that workers give it; null where a job has none."""
    made = job.previews if job.state is JobState.SUCCEEDED else {}
    signed = {name: _preview(links, file) for name, file in made.items()}
    pack, index = signed.get("pack"), signed.get("index")
    return {
        "cover": signed.get("cover"),
        "peaks": signed.get("peaks"),
        "preview": {"pack": pack, "index": index} if pack and index else None,
    }


def _preview(links: Links, file: dict[str, Any]) -> dict[str, Any]:
    name = file["key"].rsplit("/", 1)[-1]
    signed = links.sign(file["key"], name, file["content_type"], file["sha256"])
    return {"url": signed["url"], "expires_at": signed["expires_at"], "bytes": file["bytes"], "sha256": file["sha256"]}


def eta(state: JobState, fraction: float, expected_at: float | None) -> float | None:
    """Seconds until all segments are done, at the pace of the finished ones; None where there is no pace yet."""
    if state is not JobState.RUNNING or expected_at is None or not 0 < fraction < 1:
        return None
    return round(max(0.0, expected_at - time.time()), 1)


def moment(seconds: float | None) -> datetime | None:
    """A time in seconds since the epoch as a datetime."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
