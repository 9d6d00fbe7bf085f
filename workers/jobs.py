"""Running one job: lease, fetch, the pipeline, upload, commit; and what each kind of failure does to the row."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog
from celery.exceptions import SoftTimeLimitExceeded

from stemsvc.catalog import Catalog, ModelEntry
from stemsvc.errors import StemsvcError, TransientError
from stemsvc.jobs import CONTENT_TYPES, Job, JobState, Lease
from stemsvc.jobstore import JobStore
from stemsvc.services import job_limits
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from workers import scratch
from workers.audio.decode import Limits
from workers.audio.track import Track
from workers.device import DeviceTurns
from workers.lease import LeaseKeeper, LeaseLost
from workers.models import Models
from workers.pipeline import Separated, separate_file

log = structlog.get_logger()
T = TypeVar("T")
HELD_SECONDS = 4.0  # longest pause between two tries of a worker that has a job in hand
AWAY = ("storage_unavailable", "storage_full", "store_unavailable")  # what is worth waiting for with a job in hand


@dataclass(frozen=True)
class Runner:
    """What one worker child needs to run jobs."""

    settings: Settings
    catalog: Catalog
    store: JobStore
    storage: Storage
    models: Models

    def run(self, job_id: str, worker: str) -> None:
        """Run one attempt of the job if it is ours to run; leaves the row in a legal state whatever happens."""
        taken = self.store.take_lease(job_id, worker, self.settings.lease_seconds)
        if taken is None:
            log.info("not ours to run", job_id=job_id)
            return
        job, lease = taken
        with structlog.contextvars.bound_contextvars(job_id=job.id, attempt=job.attempt, request_id=job.request_id):
            log.info("job started", model=job.options.model, bytes=job.input_bytes)
            try:
                self._attempt(job, lease)
            except LeaseLost:
                log.info("job is no longer ours")
                self._erase(f"{lease.prefix}/")
            except SoftTimeLimitExceeded:
                seconds = self.settings.job_time_limit_seconds
                self._fail(job, lease, "time_limit", f"the job took longer than {seconds} s")
            except TransientError as error:
                self._retry(job, lease, error)
            except StemsvcError as error:
                self._fail(job, lease, error.code, error.detail)
            except Exception as error:
                log.exception("unexpected error")
                self._fail(
                    job, lease, "internal_error", f"the fault is ours ({type(error).__name__}); the log says more"
                )
            except BaseException:  # the process is told to end: another worker shall go on at once
                self.store.give_back(lease, "the worker is shutting down", pause=0.0, counted=False)
                raise

    def _attempt(self, job: Job, lease: Lease) -> None:
        scratch.sweep(self.settings.resolved_scratch_dir)
        with (
            scratch.scratch_folder(self.settings.resolved_scratch_dir, f"{job.id}-{job.attempt}") as folder,
            LeaseKeeper(self.store, lease, self.settings.lease_seconds) as keeper,
        ):
            keeper.limit(self.settings.job_time_limit_seconds)
            keeper.report("fetching", 0, 0)
            scratch.check_room(folder, job.input_bytes + self.settings.min_free_bytes)
            source = folder / "input"
            self._patiently(lambda: self.storage.fetch(job.input_key, source), keeper.wait)
            separated = self._separate(job, source, folder, keeper)
            keeper.report("uploading", 0, 0)
            outputs = self._upload(lease, separated, job.options.format, keeper)
            self._commit(job, lease, separated, outputs, keeper)

    def _separate(self, job: Job, source: Path, folder: Path, keeper: LeaseKeeper) -> Separated:
        entry = self.catalog.get(job.options.model)
        device = job.pool.rsplit(".", 1)[-1]
        limits = Limits(self.settings.max_duration_seconds, self.settings.min_free_bytes)
        return separate_file(
            source, folder, job.options, entry, device, self.models, limits, keeper.report,
            computing=lambda track: self._computing(job, entry, device, track, keeper),
        )  # fmt: skip

    @contextmanager
    def _computing(self, job: Job, entry: ModelEntry, device: str, track: Track, keeper: LeaseKeeper) -> Iterator[None]:
        """Hold the device for no longer than the track explains. Raises `UsageError` `too_much_work`."""
        limits, separation = job_limits(self.settings), job.options.separation
        limits.check(entry, separation, track.seconds)
        turns = DeviceTurns(self.settings.resolved_scratch_dir.parent / "devices", device, self.settings.device_slots)
        keeper.limit(None)  # waiting for others is no fault of this job
        with turns.turn(lambda: keeper.report("waiting", 0, 0)):
            keeper.limit(limits.time_limit(entry, separation, track.seconds))
            yield
        keeper.limit(self.settings.job_time_limit_seconds)

    def _upload(
        self, lease: Lease, separated: Separated, format: str, keeper: LeaseKeeper
    ) -> dict[str, dict[str, Any]]:
        outputs: dict[str, dict[str, Any]] = {}
        for name, encoded in separated.outputs.items():
            key = f"{lease.prefix}/{encoded.path.name}"
            self._put(key, encoded.path, CONTENT_TYPES[format], keeper)
            outputs[name] = {
                "key": key,
                "bytes": encoded.bytes,
                "sha256": encoded.sha256,
                "duration_seconds": encoded.seconds,
                "frames": encoded.frames,
                "sample_rate": encoded.sample_rate,
                "clipped_samples": encoded.clipped_samples,
            }
            keeper.report("uploading", 0, 0)
        return outputs

    def _put(self, key: str, path: Path, content_type: str, keeper: LeaseKeeper) -> None:
        """Upload one file; a storage that is away is asked again and again, for nothing needs to be separated anew."""

        def put() -> None:
            with path.open("rb") as file:
                self.storage.put(key, file, content_type)

        self._patiently(put, keeper.wait)

    def _patiently(self, act: Callable[[], T], wait: Callable[[float], None]) -> T:
        """Do `act`, again after growing pauses while it raises `TransientError` and patience lasts."""
        deadline = time.monotonic() + self.settings.patience_seconds
        for attempt in itertools.count(1):
            try:
                return act()
            except TransientError as error:
                if error.code not in AWAY or time.monotonic() >= deadline:
                    raise
                cap = min(HELD_SECONDS, self.settings.retry_cap_seconds)
                pause = backoff(attempt, self.settings.retry_base_seconds, cap)
                log.warning("trying again", code=error.code, detail=error.detail, pause=round(pause, 1))
                wait(min(pause, max(0.0, deadline - time.monotonic())))
        raise AssertionError("unreachable")

    def _commit(
        self, job: Job, lease: Lease, separated: Separated, outputs: dict[str, dict[str, Any]], keeper: LeaseKeeper
    ) -> None:
        track = separated.track
        source = {
            "codec": track.codec,
            "sample_rate": track.sample_rate,
            "channels": track.channels,
            "frames": track.frames,
            "duration_seconds": track.seconds,
            "broken_packets": track.broken_packets,
        }

        def succeed() -> bool:
            # a commit whose answer was lost is found done when it is tried again
            return self.store.succeed(lease, source, outputs) or self._is_committed(lease)

        if not self._patiently(succeed, keeper.wait):
            raise LeaseLost(job.id)
        self._erase(job.input_key)
        for attempt in range(1, lease.attempt):  # a worker that was killed has erased nothing
            self._erase(f"jobs/{job.id}/attempt-{attempt}/")
        log.info("job succeeded", seconds=round(track.seconds, 2), stems=list(outputs))

    def _is_committed(self, lease: Lease) -> bool:
        job = self.store.get(lease.job_id)
        return job is not None and job.state is JobState.SUCCEEDED and job.attempt == lease.attempt

    def _fail(self, job: Job, lease: Lease, code: str, detail: str) -> None:
        if self._patiently(lambda: self.store.fail(lease, code, detail), time.sleep):
            self._erase(f"jobs/{job.id}/")
            log.warning("job failed", code=code, detail=detail)

    def _retry(self, job: Job, lease: Lease, error: TransientError) -> None:
        self._erase(f"{lease.prefix}/")
        age = (job.started_at or job.created_at) - job.created_at
        if job.attempt >= job.max_attempts or age > self.settings.retry_age_seconds:
            self._fail(job, lease, error.code, f"{error.detail} (attempt {job.attempt}, {age:.0f} s after it was sent)")
            return
        pause = backoff(job.attempt, self.settings.retry_base_seconds, self.settings.retry_cap_seconds)
        why = f"{error.code}: {error.detail}; again in {pause:.1f} s"
        if self._patiently(lambda: self.store.give_back(lease, why, pause), time.sleep):
            log.warning("job will be tried again", code=error.code, detail=error.detail, pause=round(pause, 1))

    def _erase(self, prefix: str) -> None:
        with suppress(StemsvcError):  # what is left behind here is an orphan, not a wrong answer
            self.storage.delete(prefix)


def backoff(attempt: int, base: float, cap: float) -> float:
    """Seconds to wait after `attempt` failed: exponential with full jitter, so that a crowd scatters."""
    return random.uniform(0, min(cap, base * 2 ** (attempt - 1)))
