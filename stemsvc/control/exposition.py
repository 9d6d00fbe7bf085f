"""The api's metrics: what its processes measured, and what the store knows of all processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from stemsvc.control.asking import Asking
from stemsvc.errors import StemsvcError
from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Priority
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.pool_status import PoolStatus, pool_statuses
from stemsvc.observe import metrics

READ_SECONDS = 2.0  # a store that takes longer counts as down: the other figures must not wait for it


class Exposition:
    """The metrics of this process and its siblings, and those from the store, in Prometheus' text format."""

    def __init__(self, store: JobStore, pools: list[Pool]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Measured())
        self.registry.register(_Known(store, pools))

    def text(self) -> bytes:
        """All of them, of this moment."""
        return generate_latest(self.registry)


class _Measured(Collector):
    """What this process and its siblings measured."""

    def collect(self) -> Iterator[Metric]:
        """The metrics, for Prometheus' registry."""
        yield from metrics.registry().collect()


@dataclass(frozen=True)
class _Rows:
    """What the store's rows say; no `statuses` where its tables are too old to say it."""

    missing_revisions: int
    statuses: list[PoolStatus] | None = None
    ages: dict[str, float] | None = None

    @classmethod
    def of(cls, store: JobStore, pools: list[Pool]) -> _Rows:
        """Raises the store's errors."""
        missing = store.missing_revisions()
        try:
            return cls(missing, pool_statuses(store, pools), store.oldest_waiting())
        except StemsvcError:  # the tables lack what is asked for
            if not missing:
                raise
            return cls(missing)


class _Known(Collector):
    """The metrics from the store's rows: every process answers the same."""

    def __init__(self, store: JobStore, pools: list[Pool]) -> None:
        self._asking = Asking(lambda: _Rows.of(store, pools))

    def collect(self) -> Iterator[Metric]:
        """The metrics, for Prometheus' registry. While the store is away, there is only `stemsvc_store_up`, as 0."""
        up = GaugeMetricFamily("stemsvc_store_up", "Whether the job store answers")
        try:
            rows = self._asking.begin().result(READ_SECONDS)
        except (StemsvcError, TimeoutError):
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], int(rows.statuses is not None))
        missing = GaugeMetricFamily(
            "stemsvc_schema_missing_revisions", "Migrations that this release needs and the store's tables lack"
        )
        missing.add_metric([], rows.missing_revisions)
        yield from (up, missing)
        yield from _of_pools(rows.statuses or [], rows.ages or {})


def _of_pools(statuses: list[PoolStatus], ages: dict[str, float]) -> Iterator[Metric]:
    depth = GaugeMetricFamily("demucs_queue_depth", "Jobs that wait", labels=("pool", "priority"))
    age = GaugeMetricFamily(
        "demucs_queue_age_seconds", "Seconds that the oldest of the next jobs waits", labels=("pool",)
    )
    active = GaugeMetricFamily("demucs_active_jobs", "Jobs that run", labels=("pool",))
    slots = GaugeMetricFamily("demucs_live_slots", "Jobs that live workers can run at a time", labels=("pool",))
    memory = GaugeMetricFamily(
        "demucs_device_free_memory_bytes", "Free memory of a worker's device", labels=("pool", "worker", "device")
    )
    shown = set()
    for status in statuses:
        for priority in Priority:
            depth.add_metric([status.name, priority.word], status.waiting.get(priority, 0))
        age.add_metric([status.name], ages.get(status.name, 0.0))
        active.add_metric([status.name], status.running)
        slots.add_metric([status.name], status.slots)
        for seen in status.workers:
            free = seen.worker.free_memory_mb
            if free is not None and seen.worker.id not in shown:
                shown.add(seen.worker.id)
                memory.add_metric([status.name, seen.worker.id, seen.worker.device], free << 20)
    yield from (depth, age, active, slots, memory)
