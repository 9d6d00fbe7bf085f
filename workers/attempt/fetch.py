"""The first half of a job that names an address: its track is fetched and stored, then the job goes on elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog

from stemsvc.control.route import predicted_cost
from stemsvc.control.services import job_limits
from stemsvc.jobs.probe import track_seconds
from stemsvc.jobs.record import Job, Lease
from stemsvc.jobstore import JobStore
from stemsvc.models.catalog import Catalog
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from workers.attempt.lease import LeaseKeeper, LeaseLost
from workers.attempt.retry import patiently
from workers.attempt.stopwatch import Stopwatch
from workers.host import scratch, shutdown
from workers.sources.fetch import fetch
from workers.sources.protocol import Order

log = structlog.get_logger()


@dataclass(frozen=True)
class Fetching:
    """Gets tracks from addresses."""

    settings: Settings
    catalog: Catalog
    store: JobStore
    storage: Storage

    def run(self, job: Job, lease: Lease, folder: Path, keeper: LeaseKeeper) -> None:
        """Get the track, then let the job go on where it is separated.

        Raises what `fetch` and the storage do, `UsageError` where the track is too long, `LeaseLost`.
        """
        keeper.limit(self.settings.fetch_seconds)
        scratch.check_room(folder, self.settings.min_free_bytes)
        watch = Stopwatch(keeper)
        try:
            self._fetch(job, lease, folder, keeper, watch)
        finally:
            watch.stop()

    def _fetch(self, job: Job, lease: Lease, folder: Path, keeper: LeaseKeeper, watch: Stopwatch) -> None:
        def on_progress(done: int, total: int | None) -> None:
            shutdown.check()
            watch.report("fetching", done, total or 0)

        fetched = fetch(self._order(job, folder), on_progress)
        path = Path(fetched.path)
        with path.open("rb") as file:
            seconds = track_seconds(file) or fetched.seconds
        if seconds is not None:
            entry = self.catalog.get(job.options.model)
            job_limits(self.settings).check(entry, job.options.separation, seconds)
        key, size = f"{lease.prefix}/input", path.stat().st_size
        watch.report("uploading", 0, 0)

        def put() -> None:
            with path.open("rb") as file:
                self.storage.put(key, file, "application/octet-stream")

        patiently(self.settings, put, keeper.wait)
        if not patiently(
            self.settings, lambda: self._handed_on(job, lease, key, fetched.name, size, seconds), keeper.wait
        ):
            raise LeaseLost(job.id)
        log.info("track fetched", bytes=size, seconds=seconds)

    def _order(self, job: Job, folder: Path) -> Order:
        cookies = self.settings.fetch_cookies
        return Order(
            job.options.source_url, str(folder), self.settings.max_upload_bytes, self.settings.max_duration_seconds,
            self.settings.allowed_networks, self.settings.fetch_proxy, str(cookies) if cookies else "",
        )  # fmt: skip

    def _handed_on(self, job: Job, lease: Lease, key: str, name: str, size: int, seconds: float | None) -> bool:
        cost = predicted_cost(self.catalog.get(job.options.model), job.options.separation, seconds)
        if self.store.leases.hand_on(lease, key, name, size, seconds, cost):
            return True
        now = self.store.get(job.id)  # a commit whose answer was lost is found done when it is tried again
        return now is not None and now.input_key == key
