"""Running one attempt of a job: lease, work, commit; and what each kind of failure does to the row."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from opentelemetry.trace import SpanKind

from stemsvc.control.route import choose_pool
from stemsvc.control.services import job_limits
from stemsvc.errors import (
    DeviceOutOfMemory,
    InternalError,
    StemsvcError,
    TimeLimit,
    TransientError,
    UnknownPool,
    UsageError,
)
from stemsvc.folders import sweep
from stemsvc.jobs.pools import Pool, find_pool
from stemsvc.jobs.record import Job, JobState, Lease
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.leases import Origin
from stemsvc.kinds.separate.cache_key import cache_key
from stemsvc.models.catalog import Catalog, ModelEntry
from stemsvc.observe import metrics
from stemsvc.observe.traces import Attributes, past_span, span
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from workers.attempt.fetch import Fetching
from workers.attempt.lease import LeaseKeeper, LeaseLost
from workers.attempt.manifest import manifest
from workers.attempt.results import Result, Results
from workers.attempt.retry import backoff, patiently
from workers.attempt.stopwatch import Stopwatch
from workers.audio.decode import Limits
from workers.audio.track import Track
from workers.host import presence, scratch
from workers.host.device import DeviceTurns
from workers.kinds.separate.models import Models
from workers.kinds.separate.separate import Separated, separate_file

log = structlog.get_logger()


@dataclass(frozen=True)
class Runner:
    """What one worker child needs to run jobs."""

    settings: Settings
    catalog: Catalog
    store: JobStore
    storage: Storage
    models: Models
    pools: tuple[Pool, ...] = ()
    refill: Callable[[], None] = lambda: None  # called when a job's message has been used up

    def run(self, job_id: str, worker: str, parent: str | None = None) -> None:
        """Run one attempt of the job if it is ours to run; leaves the row in a legal state whatever happens.

        `parent` is the traceparent that came with the message.
        """
        taken = self.store.leases.take(job_id, worker, self.settings.lease_seconds)
        self.refill()
        if taken is None:
            log.info("not ours to run", job_id=job_id)
            return
        job, lease = taken
        facts: Attributes = {
            "stemsvc.job_id": job.id, "stemsvc.attempt": job.attempt, "stemsvc.request_id": job.request_id or "",
            "stemsvc.pool": job.pool, "stemsvc.model": job.options.model,
        }  # fmt: skip
        with (
            presence.at_work(job.id),
            structlog.contextvars.bound_contextvars(job_id=job.id, attempt=job.attempt, request_id=job.request_id),
            span("job", facts, parent=parent or job.trace, kind=SpanKind.CONSUMER, start=job.started_at),
        ):
            waited_from = job.published_at or job.created_at
            past_span("wait in queue", waited_from, job.started_at or waited_from, facts)
            log.info("job started", model=job.options.model, bytes=job.input_bytes)
            try:
                self._attempt(job, lease)
            except LeaseLost:
                log.info("job is no longer ours")
                self._erase_attempt(lease)
            except SoftTimeLimitExceeded:
                seconds = self.settings.job_time_limit_seconds
                self._fail(job, lease, TimeLimit(f"the job took longer than {seconds} s"))
            except TransientError as error:
                self._retry(job, lease, error)
            except StemsvcError as error:
                self._fail(job, lease, error)
            except Exception as error:
                log.exception("unexpected error")
                self._fail(job, lease, InternalError(f"the fault is ours ({type(error).__name__}); the log says more"))
            except BaseException:  # the process is told to end: another worker shall go on at once
                self.store.leases.give_back(lease, "the worker is shutting down", pause=0.0, counted=False)
                raise

    def _attempt(self, job: Job, lease: Lease) -> None:
        sweep(self.settings.resolved_scratch_dir)
        with (
            scratch.scratch_folder(self.settings.resolved_scratch_dir, f"{job.id}-{job.attempt}") as folder,
            LeaseKeeper(self.store, lease, self.settings.lease_seconds) as keeper,
        ):
            if job.next_pool is not None:
                Fetching(self.settings, self.catalog, self.store, self.storage).run(job, lease, folder, keeper)
                self.refill()
            else:
                self._separate(job, lease, folder, keeper)

    def _separate(self, job: Job, lease: Lease, folder: Path, keeper: LeaseKeeper) -> None:
        """Get the track from storage, separate it, store the stems."""
        watch, results = Stopwatch(keeper), Results(self.settings, self.store, self.storage)
        try:
            self._separate_timed(job, lease, folder, keeper, watch, results)
        finally:
            watch.stop()

    def _separate_timed(
        self, job: Job, lease: Lease, folder: Path, keeper: LeaseKeeper, watch: Stopwatch, results: Results
    ) -> None:
        keeper.limit(self.settings.job_time_limit_seconds)
        watch.report("fetching", 0, 0)
        scratch.check_room(folder, job.input_bytes + self.settings.min_free_bytes)
        source = folder / "input"
        patiently(self.settings, lambda: self.storage.fetch(job.input_key, source), keeper.wait)
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        entry, pool = self.catalog.get(job.options.model), self._pool(job)
        job, device = _as_the_pool_does(job, pool), pool.device
        weights = self.models.digests(entry)
        origin = Origin(digest, cache_key(digest, job.options, device, weights) if weights else None)
        result = results.take(job, lease, origin, keeper)
        if result is None:
            try:
                separated = self._separated(job, source, folder, entry, pool, keeper, watch)
            except BaseException:
                self._measure(entry.name, device, watch, 0.0)
                raise
            finally:
                self._account(job, watch)
            watch.report("uploading", 0, 0)
            weights = self.models.digests(entry)
            told = manifest(
                job, entry, weights or [], digest, separated, device, watch.seconds, self.settings.price_per_device_hour
            )
            result = results.keep(job, lease, separated, told, origin, keeper)
        watch.stop()
        self._commit(job, lease, result, keeper)
        metrics.processed(entry.name, device, time.time() - (job.started_at or time.time()))
        track_seconds = float(result.source.get("duration_seconds", 0.0))
        self._measure(entry.name, device, watch, track_seconds)

    def _separated(
        self, job: Job, source: Path, folder: Path, entry: ModelEntry, pool: Pool, keeper: LeaseKeeper,
        watch: Stopwatch,
    ) -> Separated:  # fmt: skip
        limits = Limits(self.settings.max_duration_seconds, self.settings.min_free_bytes)
        return separate_file(
            source, folder, job.options, entry, pool.device, self.models, limits, watch.report,
            computing=lambda track: self._computing(job, entry, pool, track, keeper, watch),
        )  # fmt: skip

    @contextmanager
    def _computing(
        self, job: Job, entry: ModelEntry, pool: Pool, track: Track, keeper: LeaseKeeper, watch: Stopwatch
    ) -> Iterator[None]:
        """Hold the device for no longer than the track explains. Raises `UsageError` `too_much_work`."""
        limits, separation = job_limits(self.settings, pool), job.options.separation
        limits.check(entry, separation, track.seconds)
        turns = DeviceTurns(self.settings.data_dir / "devices", pool.device, self.settings.device_slots)
        keeper.limit(None)  # waiting for others is no fault of this job
        with turns.turn(lambda: watch.report("waiting", 0, 0)):
            keeper.limit(limits.time_limit(entry, separation, track.seconds))
            yield
        keeper.limit(self.settings.job_time_limit_seconds)

    def _account(self, job: Job, watch: Stopwatch) -> None:
        """Note what the device was used for, also in vain."""
        watch.stop()
        if seconds := watch.seconds.get("separating"):
            with suppress(StemsvcError):  # a figure is not worth a job
                self.store.usage.spend(job.id, seconds)

    def _measure(self, model: str, device: str, watch: Stopwatch, track_seconds: float) -> None:
        if seconds := watch.seconds.get("separating"):
            cost = seconds / 3600 * self.settings.price_per_device_hour
            metrics.computed(model, device, seconds, track_seconds, cost, self.settings.currency)

    def _commit(self, job: Job, lease: Lease, result: Result, keeper: LeaseKeeper) -> None:
        def succeed() -> bool:
            # a commit whose answer was lost is found done when it is tried again
            done = self.store.leases.succeed(lease, result.source, result.outputs, result.origin)
            return done or self.store.leases.is_committed(lease)

        try:
            done = patiently(self.settings, succeed, keeper.wait)
        except LeaseLost:  # the row has moved: perhaps by a commit of ours whose answer was lost
            done = patiently(self.settings, lambda: self.store.leases.is_committed(lease), time.sleep)
        if not done:
            raise LeaseLost(job.id)
        seconds = float(result.source.get("duration_seconds", 0.0))
        log.info("job succeeded", seconds=round(seconds, 2), stems=list(result.outputs))

    def _fail(self, job: Job, lease: Lease, error: StemsvcError) -> None:
        if patiently(self.settings, lambda: self.store.leases.fail(lease, error.code, error.detail), time.sleep):
            log.warning("job failed", code=error.code, detail=error.detail)
        else:
            self._erase_attempt(lease)

    def _pool(self, job: Job) -> Pool:
        pool = find_pool(self.pools, job.pool)
        if pool is None:
            raise UnknownPool(f"this worker's settings know no pool {job.pool}")
        return pool

    def _lowered(self, job: Job, lease: Lease, error: TransientError) -> bool:
        """Whether the job goes on on a CPU, where its accelerator is too small for it and the settings say so."""
        if (
            not isinstance(error, DeviceOutOfMemory)
            or not self.settings.fallback_to_cpu
            or job.options.device != "auto"
        ):
            return False
        entry = self.catalog.get(job.options.model)
        try:
            choice = choose_pool([*self.pools], entry, "cpu", slots=self.store.workers.slots())
        except UsageError:
            return False
        why = f"{error.code}: {error.detail}; on the CPU instead, {choice.why}"
        return choice.pool.name != job.pool and patiently(
            self.settings, lambda: self.store.leases.give_back(lease, why, 0.0, counted=False, pool=choice.pool.name),
            time.sleep,
        )  # fmt: skip

    def _retry(self, job: Job, lease: Lease, error: TransientError) -> None:
        if self._lowered(job, lease, error):
            self._erase_attempt(lease)
            log.warning("job goes to a lower device", code=error.code)
            self.refill()
            return
        age = (job.started_at or job.created_at) - job.created_at
        if job.attempt >= job.max_attempts or age > self.settings.retry_age_seconds:
            self._fail(
                job, lease, type(error)(f"{error.detail} (attempt {job.attempt}, {age:.0f} s after it was sent)")
            )
            return
        pause = backoff(job.attempt, self.settings.retry_base_seconds, self.settings.retry_cap_seconds)
        why = f"{error.code}: {error.detail}; again in {pause:.1f} s"
        if patiently(self.settings, lambda: self.store.leases.give_back(lease, why, pause), time.sleep):
            metrics.retried(error.code)
            log.warning("job will be tried again", code=error.code, detail=error.detail, pause=round(pause, 1))
        self._erase_attempt(lease)

    def _erase_attempt(self, lease: Lease) -> None:
        """Erase what this attempt stored, once the row has moved on, unless it moved by this attempt's own commit.

        Where the row can't be read nothing goes: of what it turns out to have no use for, the janitor makes an end.
        """
        with suppress(StemsvcError):
            job = self.store.get(lease.job_id)
            committed = job is not None and job.state is JobState.SUCCEEDED and job.attempt == lease.attempt
            if not committed and not (job and job.input_key.startswith(f"{lease.prefix}/")):
                self.storage.delete(f"{lease.prefix}/")


def _as_the_pool_does(job: Job, pool: Pool) -> Job:
    """The job with the pool's precision, where it left that open."""
    separation = job.options.separation
    if pool.precision is None or separation.precision != "auto":
        return job
    return replace(job, options=replace(job.options, separation=replace(separation, precision=pool.precision)))
