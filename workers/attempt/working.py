"""From a job's inputs in storage to its result there: an earlier job's, or what its kind's work makes."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stemsvc.control.services import job_limits
from stemsvc.errors import StemsvcError, UnknownPool
from stemsvc.jobs.pools import Pool, find_pool
from stemsvc.jobs.record import Job, Lease
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.leases import Origin
from stemsvc.kinds import registry
from stemsvc.kinds.base import Needs
from stemsvc.kinds.cache_key import cache_key
from stemsvc.models.catalog import Catalog
from stemsvc.observe import metrics
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from workers.attempt.attempt import Attempt
from workers.attempt.lease import LeaseKeeper
from workers.attempt.manifest import manifest
from workers.attempt.results import Result, Results
from workers.attempt.retry import Retries
from workers.attempt.stopwatch import Stopwatch
from workers.audio.decode import Limits
from workers.host import scratch
from workers.host.device import DeviceTurns
from workers.kinds.base import LocalInput, Made
from workers.kinds.registry import work_of
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
        work_of(job.kind)  # before anything is fetched for a kind that this worker lacks
        watch = Stopwatch(keeper)
        try:
            return self._result(job, lease, folder, keeper, watch)
        finally:
            watch.stop()

    def device(self, job: Job) -> str:
        """Where the job's pool computes. Raises `FatalError` `unknown_pool`."""
        return self._pool(job).device

    def _result(self, job: Job, lease: Lease, folder: Path, keeper: LeaseKeeper, watch: Stopwatch) -> Result:
        keeper.limit(self.settings.job_time_limit_seconds)
        watch.report("fetching", 0, 0)
        inputs = self._inputs(job, folder, keeper)
        attempt = self._offered(job, folder, keeper, watch)
        needs = attempt.kind.needs(attempt.params, self.catalog)
        origin = self._origin(attempt, needs, inputs)
        results = Results(self.settings.resolved_scratch_dir, self.store, self.storage, self.retries)
        if self.settings.result_cache and job.envelope.cache:
            taken = results.take(job, lease, origin, keeper)
            if taken is not None:
                return taken
        made = self._made(job, attempt, inputs, needs)
        watch.report("uploading", 0, 0)
        told = manifest(job, attempt, made, inputs, self._model(needs), self.settings.price_per_device_hour)
        result = results.keep(lease, made, told, origin, keeper, attempt.kind.noun)
        self._measure(attempt, result.seconds)
        return result

    def _inputs(self, job: Job, folder: Path, keeper: LeaseKeeper) -> list[LocalInput]:
        """The inputs' files, on the scratch disk."""
        scratch.check_room(folder, sum(each.bytes for each in job.inputs) + self.settings.min_free_bytes)
        found = []
        for number, each in enumerate(job.inputs):
            path = folder / (f"input-{number}" if number else "input")
            self.retries.patiently(partial(self.storage.fetch, each.key, path), keeper.wait)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found.append(LocalInput(path, each.name, each.role, digest))
        return found

    def _offered(self, job: Job, folder: Path, keeper: LeaseKeeper, watch: Stopwatch) -> Attempt:
        kind, pool = registry.get(job.kind), self._pool(job)
        turns = DeviceTurns(self.settings.data_dir / "devices", pool.device, self.settings.device_slots)
        return Attempt(
            kind=kind, params=kind.on_pool(kind.read(job.params), pool.precision), encoding=job.encoding,
            folder=folder, pool=pool, catalog=self.catalog, models=self.models,
            limits=Limits(self.settings.max_duration_seconds, self.settings.min_free_bytes),
            job_limits=job_limits(self.settings, pool), turns=turns, keeper=keeper, watch=watch,
            general_seconds=self.settings.job_time_limit_seconds,
        )  # fmt: skip

    def _pool(self, job: Job) -> Pool:
        modelless = [name for name, kind in registry.installed().items() if not kind.modelled]
        pool = find_pool(self.pools, job.pool, modelless)
        if pool is None:
            raise UnknownPool(f"this worker's settings know no pool {job.pool}")
        return pool

    def _origin(self, attempt: Attempt, needs: Needs, inputs: list[LocalInput]) -> Origin:
        """What the result is made from; without a key where the weights' hashes are not known yet."""
        weights = self.models.digests(self.catalog.get(needs.model)) if needs.model else []
        digests = [each.sha256 for each in inputs]
        key = None
        if weights is not None:
            key = cache_key(attempt.kind, attempt.params, attempt.encoding, digests, attempt.device, weights)
        return Origin(digests[0] if digests else None, key)

    def _made(self, job: Job, attempt: Attempt, inputs: list[LocalInput], needs: Needs) -> Made:
        try:
            return work_of(job.kind)(attempt.params, inputs, attempt)
        except BaseException:
            self._measure(attempt, 0.0)
            raise
        finally:  # note what the device was used for, also in vain
            attempt.watch.stop()
            if seconds := attempt.watch.device_seconds:
                with suppress(StemsvcError):  # a figure is not worth a job
                    self.store.usage.spend(job.id, seconds)

    def _model(self, needs: Needs) -> dict[str, Any] | None:
        if needs.model is None:
            return None
        entry = self.catalog.get(needs.model)
        return {"name": entry.name, "licence": entry.licence, "weights_sha256": self.models.digests(entry) or []}

    def _measure(self, attempt: Attempt, track_seconds: float) -> None:
        if seconds := attempt.watch.device_seconds:
            model = attempt.kind.needs(attempt.params, self.catalog).model or ""
            cost = seconds / 3600 * self.settings.price_per_device_hour
            metrics.computed(attempt.kind.name, model, attempt.device, seconds, track_seconds)
            metrics.spent(cost, self.settings.currency)
