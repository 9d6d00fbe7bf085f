"""The api's `/metrics`: what its processes measured, and what the store knows of all processes."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from stemsvc.control.asking import Asking
from stemsvc.errors import StemsvcError
from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Priority
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.pool_status import pool_statuses
from stemsvc.observe import metrics

READ_SECONDS = 2.0  # a store that takes longer counts as down: the other figures must not wait for it


class Exposition:
    """The metrics of this process and its siblings, and those from the store, in Prometheus' text format."""

    def __init__(self, store: JobStore, pools: list[Pool]) -> None:
        self._known = CollectorRegistry()
        self._known.register(_Known(store, pools))

    def text(self) -> bytes:
        """All of them, of this moment."""
        return generate_latest(metrics.registry()) + generate_latest(self._known)


class _Known(Collector):
    """The metrics from the store's rows: every process answers the same."""

    def __init__(self, store: JobStore, pools: list[Pool]) -> None:
        self._asking = Asking(lambda: (pool_statuses(store, pools), store.oldest_waiting()))

    def collect(self) -> Iterator[Metric]:
        """The metrics, for Prometheus' registry. While the store is away, there is only `stemsvc_store_up`, as 0."""
        up = GaugeMetricFamily("stemsvc_store_up", "Whether the job store answers")
        try:
            statuses, ages = self._asking.begin().result(READ_SECONDS)
        except (StemsvcError, TimeoutError):
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
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
        yield from (up, depth, age, active, slots, memory)
