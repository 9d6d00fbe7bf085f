"""The first half of a job that names an address: its track is fetched and stored, then the job goes on elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from stemsvc.control.services import job_limits
from stemsvc.jobs.probe import Length, longest, track_length
from stemsvc.jobs.record import Job, Lease, input_key
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore
from stemsvc.kinds import registry
from stemsvc.kinds.limits import TYPICAL_TRACK_SECONDS, Limits
from stemsvc.models.catalog import Catalog
from stemsvc.observe.loggers import get_logger
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from workers.attempt.lease import LeaseKeeper, LeaseLost
from workers.attempt.retry import Retries
from workers.attempt.stopwatch import Stopwatch
from workers.host import shutdown
from workers.sources.fetch import fetch
from workers.sources.protocol import Fetched, Order

log = get_logger()


@dataclass(frozen=True)
class Fetching:
    """Gets tracks from addresses."""

    catalog: Catalog
    store: JobStore
    storage: Storage
    retries: Retries
    limits: Limits
    seconds: float  # that all of it may take
    order: Callable[[str, Path], Order]  # what the child that fetches is told of an address and a folder

    @classmethod
    def of(cls, settings: Settings, catalog: Catalog, store: JobStore, storage: Storage) -> Fetching:
        """With the settings' numbers."""

        def order(url: str, folder: Path) -> Order:
            return Order(
                url,
                str(folder),
                settings.max_upload_bytes,
                settings.max_duration_seconds,
                settings.allowed_networks,
                settings.fresh().fetch_proxy,
                str(settings.fetch_cookies or ""),
            )

        limits = job_limits(settings)
        return cls(catalog, store, storage, Retries.of(settings), limits, settings.fetch_seconds, order)

    def run(self, job: Job, lease: Lease, folder: Path, keeper: LeaseKeeper) -> None:
        """Get the inputs that have an address, then let the job go on where its work is done.

        Raises what `fetch` and the storage do, `UsageError` where a track is too long, `LeaseLost`.
        """
        keeper.limit(self.seconds)
        with closing(Stopwatch(keeper)) as watch:
            self._run(job, lease, folder, keeper, watch)

    def _run(self, job: Job, lease: Lease, folder: Path, keeper: LeaseKeeper, watch: Stopwatch) -> None:
        inputs: list[Input] = []
        lengths: list[Length | None] = []
        for number, each in enumerate(job.inputs):
            if not each.url or (job.workflow_id and each.key):  # another job has fetched it
                inputs.append(each)
                continue
            fetched, length = self._fetch(each.url, folder, watch)
            self._cost(job, length)  # before the next one is fetched
            key = f"{lease.prefix}/input" + (f"-{number}" if number else "")
            watch.report("uploading", 0, 0)
            self._put(key, Path(fetched.path), keeper)
            size = Path(fetched.path).stat().st_size
            Path(fetched.path).unlink()
            inputs.append(replace(each, key=key, name=fetched.name, bytes=size))
            lengths.append(length)
        length, copies = longest(lengths), self._copies(job, inputs, keeper)
        if not self.retries.patiently(lambda: self._handed_on(job, lease, inputs, length, copies), keeper.wait):
            raise LeaseLost(job.id)
        log.info("track fetched", bytes=sum(each.bytes for each in inputs), seconds=length and length.seconds)

    def _fetch(self, url: str, folder: Path, watch: Stopwatch) -> tuple[Fetched, Length | None]:
        def on_progress(done: int, total: int | None) -> None:
            shutdown.check()
            watch.report("fetching", done, total or 0)

        fetched = fetch(self.order(url, folder), on_progress)
        with Path(fetched.path).open("rb") as file:
            guessed = Length(fetched.seconds, proved=False) if fetched.seconds else None
            return fetched, track_length(file) or guessed

    def _cost(self, job: Job, length: Length | None) -> tuple[float | None, float | None]:
        """What the job costs, now that its length may be known; None where its kind is not installed here. And how many
        seconds it has at least; None where that is not known.

        Raises `UsageError` `track_too_long` and `too_much_work`, for a length that is proved.
        """
        kind = registry.find(job.kind)
        if kind is None:  # the worker that has it looks again
            return None, None
        params = kind.read(job.params)
        seconds = kind.part(params, length.seconds if length else None)
        predicted = kind.cost(params, seconds or TYPICAL_TRACK_SECONDS, self.catalog)
        if seconds is None or length is None or not length.proved:
            return predicted, None
        self.limits.check(job.spec.model or job.kind, kind.advice, predicted, seconds)
        return predicted, seconds

    def _put(self, key: str, path: Path, keeper: LeaseKeeper) -> None:
        def put() -> None:
            with path.open("rb") as file:
                self.storage.put(key, file, "application/octet-stream")

        self.retries.patiently(put, keeper.wait)

    def _copies(self, job: Job, inputs: list[Input], keeper: LeaseKeeper) -> dict[tuple[str, str], Input]:
        """Copies of the tracks for other jobs of its workflow. Each job's is its own: what becomes of the others' files
        does it no harm."""
        if not job.workflow_id:
            return {}
        found: dict[tuple[str, str], Input] = {}
        fetched = {each.url: each for each in inputs if each.url}
        for waiting in self.retries.patiently(lambda: self.store.workflows.wait_for_fetch(job.id), keeper.wait):
            for number, each in enumerate(waiting.inputs):
                if each.url in fetched and each.awaited and each.from_job == job.id:
                    key, source = input_key(waiting.id, number), fetched[each.url]
                    self.retries.patiently(partial(self.storage.copy, source.key, key), keeper.wait)
                    found[waiting.id, each.url] = replace(source, key=key)
        return found

    def _handed_on(
        self,
        job: Job,
        lease: Lease,
        inputs: list[Input],
        length: Length | None,
        copies: Mapping[tuple[str, str], Input],
    ) -> bool:
        cost, seconds = self._cost(job, length)
        if self.store.leases.hand_on(lease, inputs, seconds, cost, copies):
            return True
        now = self.store.get(job.id)  # a commit whose answer was lost is found done when it is tried again
        return now is not None and [each.key for each in now.inputs] == [each.key for each in inputs]
