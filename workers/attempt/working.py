"""From a job's inputs in storage to its result there: an earlier job's, or what its kind's work makes."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stemsvc.control.services import job_limits
from stemsvc.errors import StemsvcError
from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Job, Lease
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.leases import Origin
from stemsvc.kinds.cache_key import cache_key
from stemsvc.kinds.registry import Resolved, resolve
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
from workers.kinds.base import LocalInput, Made, Work
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
        work = work_of(job.kind)  # before anything is fetched for a kind that this worker lacks
        attempt = self._attempt(job, lease, resolve(job, self.pools, self.catalog), folder, keeper)
        try:
            return self._result(attempt, work)
        finally:
            attempt.watch.stop()

    def _attempt(self, job: Job, lease: Lease, of: Resolved, folder: Path, keeper: LeaseKeeper) -> Attempt:
        settings = self.settings
        return Attempt(
            job, lease, of, folder, self.catalog, self.models,
            limits=Limits(settings.max_duration_seconds, settings.min_free_bytes),
            job_limits=job_limits(settings, of.pool),
            turns=DeviceTurns(settings.data_dir / "devices", of.pool.device, settings.device_slots),
            keeper=keeper, watch=Stopwatch(keeper), general_seconds=settings.job_time_limit_seconds,
        )  # fmt: skip

    def _result(self, attempt: Attempt, work: Work) -> Result:
        attempt.keeper.limit(attempt.general_seconds)
        attempt.report("fetching")
        inputs = self._inputs(attempt)
        weights = self._weights(attempt)
        origin = self._origin(attempt, inputs, weights)
        results = Results(self.settings.resolved_scratch_dir, self.store, self.storage, self.retries)
        if self.settings.result_cache and attempt.job.envelope.cache:
            taken = results.take(attempt, origin)
            if taken is not None:
                return taken
        made = self._made(attempt, work, inputs)
        attempt.report("uploading")
        weights = self._weights(attempt)  # which the work may have downloaded
        told = manifest(attempt, made, inputs, weights or [], self.settings.price_per_device_hour)
        result = results.keep(attempt, made, told, origin)
        self._measure(attempt, result.seconds)
        return result

    def _inputs(self, attempt: Attempt) -> list[LocalInput]:
        """The inputs' files, on the scratch disk."""
        size = sum(each.bytes for each in attempt.job.inputs)
        scratch.check_room(attempt.folder, size + self.settings.min_free_bytes)
        return [self._input(attempt, number, each) for number, each in enumerate(attempt.job.inputs)]

    def _input(self, attempt: Attempt, number: int, each: Input) -> LocalInput:
        path = attempt.folder / (f"input-{number}" if number else "input")
        self.retries.patiently(partial(self.storage.fetch, each.key, path), attempt.keeper.wait)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return LocalInput(path, each.name, each.role, digest)

    def _weights(self, attempt: Attempt) -> list[str] | None:
        """The sha256 of each of its model's files; None while that of one can't be told."""
        model = attempt.of.needs.model
        return self.models.digests(self.catalog.get(model)) if model else []

    def _origin(self, attempt: Attempt, inputs: list[LocalInput], weights: list[str] | None) -> Origin:
        """What the result is made from; without a key where the weights' hashes are not known yet."""
        digests, of, key = [each.sha256 for each in inputs], attempt.of, None
        if weights is not None:
            key = cache_key(of.kind, of.params, attempt.encoding, digests, attempt.device, weights)
        return Origin(digests[0] if digests else None, key)

    def _made(self, attempt: Attempt, work: Work, inputs: list[LocalInput]) -> Made:
        try:
            return work(attempt.of.params, inputs, attempt)
        except BaseException:
            self._measure(attempt, 0.0)
            raise
        finally:  # note what the device was used for, also in vain
            attempt.watch.stop()
            if seconds := attempt.watch.device_seconds:
                with suppress(StemsvcError):  # a figure is not worth a job
                    self.store.usage.spend(attempt.job.id, seconds)

    def _measure(self, attempt: Attempt, track_seconds: float) -> None:
        if seconds := attempt.watch.device_seconds:
            of = attempt.of
            metrics.computed(of.kind.name, of.needs.model or "", attempt.device, seconds, track_seconds)
            metrics.spent(seconds / 3600 * self.settings.price_per_device_hour, self.settings.currency)
