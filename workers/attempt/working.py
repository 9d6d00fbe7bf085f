"""From a job's inputs in storage to its result there: an earlier job's, or what its kind's work makes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stemsvc.control.services import job_limits
from stemsvc.errors import StemsvcError
from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Job, Lease
from stemsvc.jobstore import JobStore
from stemsvc.kinds.registry import Resolved, resolve
from stemsvc.models.catalog import Catalog
from stemsvc.observe import metrics
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from workers.attempt.attempt import Attempt
from workers.attempt.files import Files, Result
from workers.attempt.lease import LeaseKeeper
from workers.attempt.manifest import manifest
from workers.attempt.retry import Retries
from workers.attempt.stopwatch import Stopwatch
from workers.audio.decode import Limits
from workers.host.device import DeviceTurns
from workers.kinds.base import LocalInput, Made, Work
from workers.kinds.separate.models import Models


@dataclass(frozen=True)
class Working:
    """What the working half of an attempt needs."""

    settings: Settings
    catalog: Catalog
    store: JobStore
    storage: Storage
    models: Models
    pools: tuple[Pool, ...]
    retries: Retries

    def result(self, job: Job, lease: Lease, folder: Path, keeper: LeaseKeeper) -> Result:
        """The job's files, stored. Raises what the kind's work and the storage do, and `LeaseLost`."""
        of = resolve(job, self.pools, self.catalog)
        work: Work = of.work()  # before anything is fetched for a kind that this worker lacks
        attempt = self._attempt(job, lease, of, folder, keeper)
        try:
            return self._result(attempt, work)
        finally:
            attempt.watch.stop()

    def _attempt(self, job: Job, lease: Lease, of: Resolved, folder: Path, keeper: LeaseKeeper) -> Attempt:
        settings = self.settings
        return Attempt(
            job,
            lease,
            of,
            folder,
            self.catalog,
            self.models,
            limits=Limits(settings.max_duration_seconds, settings.min_free_bytes),
            job_limits=job_limits(settings, of.pool),
            turns=DeviceTurns(settings.data_dir / "devices", of.pool.device, settings.device_slots),
            keeper=keeper,
            watch=Stopwatch(keeper),
            general_seconds=settings.job_time_limit_seconds,
        )

    def _result(self, attempt: Attempt, work: Work) -> Result:
        settings = self.settings
        patiently = partial(self.retries.patiently, wait=attempt.keeper.wait)
        files = Files(settings.resolved_scratch_dir, settings.min_free_bytes, self.store, self.storage, patiently)
        attempt.report("fetching")
        inputs = files.inputs(attempt)
        origin = attempt.origin(inputs)
        if settings.result_cache and attempt.job.envelope.cache:
            taken = files.take(attempt, origin)
            if taken is not None:
                return taken
        made = self._made(attempt, work, inputs)
        attempt.report("uploading")
        told = manifest(attempt, made, inputs, settings.price_per_device_hour)
        return files.keep(attempt, made, told, origin)

    def _made(self, attempt: Attempt, work: Work, inputs: list[LocalInput]) -> Made:
        made: Made | None = None
        try:
            made = work(attempt.of.params, inputs, attempt)
            return made
        finally:  # what the device was used for counts, also in vain
            attempt.watch.stop()
            if seconds := attempt.watch.device_seconds:
                self._spent(attempt, seconds, made.seconds if made else 0.0)

    def _spent(self, attempt: Attempt, seconds: float, track_seconds: float) -> None:
        with suppress(StemsvcError):  # a figure is not worth a job
            self.store.usage.spend(attempt.job.id, seconds)
        model = attempt.of.needs.model or ""
        metrics.computed(attempt.of.kind.name, model, attempt.device, seconds, track_seconds)
        metrics.spent(seconds / 3600 * self.settings.price_per_device_hour, self.settings.currency)
