"""From a job's inputs in storage to its result there: an earlier job's, or what its kind's work makes."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stemsvc.control.services import job_limits
from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Job, Lease
from stemsvc.jobs.warnings import DEMO_MODEL
from stemsvc.jobstore import JobStore
from stemsvc.kinds.limits import Limits as JobLimits
from stemsvc.kinds.registry import resolve
from stemsvc.models.catalog import Catalog
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from workers.attempt.attempt import Attempt
from workers.attempt.files import Files, Result
from workers.attempt.lease import LeaseKeeper
from workers.attempt.manifest import manifest
from workers.attempt.retry import Retries
from workers.attempt.settle import settle
from workers.attempt.spending import Spending
from workers.attempt.stopwatch import Stopwatch
from workers.audio.decode import Limits
from workers.host.blas import one_blas_thread
from workers.host.device import DeviceTurns
from workers.host.models import Models
from workers.kinds.base import Work


@dataclass(frozen=True)
class Working:
    """What the working half of an attempt needs."""

    catalog: Catalog
    store: JobStore
    storage: Storage
    models: Models
    pools: tuple[Pool, ...]
    retries: Retries
    scratch: Path
    limits: Limits
    job_limits: JobLimits
    spending: Spending
    locks: Path  # folder of the devices' locks
    slots: int  # jobs that compute on one device at a time
    cache: bool  # whether an earlier job's result may be taken
    preview: str  # the codec of previews

    @classmethod
    def of(
        cls,
        settings: Settings,
        catalog: Catalog,
        store: JobStore,
        storage: Storage,
        models: Models,
        pools: tuple[Pool, ...],
    ) -> Working:
        """With the settings' numbers."""
        return cls(
            catalog,
            store,
            storage,
            models,
            pools,
            Retries.of(settings),
            settings.resolved_scratch_dir,
            Limits(settings.max_duration_seconds, settings.min_free_bytes),
            job_limits(settings),
            Spending(store.usage, settings.price_per_device_hour, settings.currency),
            settings.data_dir / "devices",
            settings.device_slots,
            settings.result_cache,
            settings.preview,
        )

    def produce(self, job: Job, lease: Lease, folder: Path, keeper: LeaseKeeper) -> Result:
        """The job's files, stored. Raises what the kind's work and the storage do, and `LeaseLost`."""
        of = resolve(job, self.pools, self.catalog)
        work: Work = of.work()  # before anything is fetched for a kind that this worker lacks
        keeper.limit(self.job_limits.work_seconds)
        patiently = partial(self.retries.patiently, wait=keeper.wait)
        with closing(Stopwatch(keeper)) as watch:
            settled = settle(job, of, self.catalog, self.models, watch.report)
            files = Files(self.scratch, self.store, self.storage, patiently)
            attempt = Attempt(
                job,
                lease,
                settled,
                folder,
                self.catalog,
                self.models,
                self.limits,
                self.job_limits.within(of.pool.time_limit),
                DeviceTurns(self.locks, of.pool.device, self.slots),
                keeper,
                watch,
                self.spending,
                charge=lambda seconds: patiently(lambda: self.store.leases.charge(lease, seconds)),
                general_seconds=self.job_limits.work_seconds,
                find_earlier=lambda kind, sha256, choose: files.earlier(attempt, kind, sha256, choose),
                preview=self.preview,
            )
            if settled.params is not None:
                attempt.warn(DEMO_MODEL, settled.warning)
            attempt.report("fetching", 0, 1)  # of this, nothing: the download's share is not the job's
            inputs = files.inputs(attempt)
            if self.cache and job.envelope.cache:
                for named in (False, True):  # what an earlier result depended on, only its work found out
                    if taken := files.take(attempt, attempt.origin(inputs, named)):
                        return taken
            with one_blas_thread():
                made = work(attempt.of.params, inputs, attempt)
            attempt.report("uploading")
            told = manifest(attempt, made, inputs, self.spending)
            return files.keep(attempt, made, told, attempt.origin(inputs, made.named))
