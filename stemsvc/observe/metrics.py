"""What our processes measure, for Prometheus.

Children write into files of a folder that they share, and their parent shows the sum: a child may die at any time.
What the store knows of all processes is asked of it, when the api is scraped.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from stemsvc.errors import FatalError, StemsvcError
from stemsvc.folders import LOCK, sweep
from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Priority
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.pool_status import pool_statuses
from stemsvc.observe.timing import BUCKETS, storage_seconds
from stemsvc.settings import Settings

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own
LOAD_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
JOB_BUCKETS = (1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120)
PACE_BUCKETS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class _Instruments:
    jobs: Counter
    processing_seconds: Histogram
    realtime_factor: Histogram
    device_seconds: Counter
    cost: Counter
    retries: Counter
    lease_losses: Counter
    load_seconds: Histogram
    memory_bytes: Gauge
    storage_seconds: Histogram
    http_seconds: Histogram


@functools.cache
def _instruments() -> _Instruments:
    by = ("model", "device")
    return _Instruments(
        Counter("demucs_jobs", "Jobs that ended, by what became of them", ("model", "state", "code")),
        Histogram("demucs_processing_seconds", "From a worker's lease to its commit", by, buckets=JOB_BUCKETS),
        Histogram("demucs_realtime_factor", "Seconds of track for each second of computing", by, buckets=PACE_BUCKETS),
        Counter("demucs_device_seconds", "Seconds that devices computed, also in vain", by),
        Counter("demucs_cost", "Of those, by the price of the settings", ("currency",)),
        Counter("demucs_retries", "Attempts that failed and will be made again", ("code",)),
        Counter("demucs_lease_losses", "Running jobs that were taken from silent workers"),
        Histogram("demucs_model_load_seconds", "Weights checked, loaded, converted", by, buckets=LOAD_BUCKETS),
        Gauge("demucs_model_memory_bytes", "Memory that a loaded model took", by, multiprocess_mode="livesum"),
        storage_seconds(),
        Histogram("stemsvc_http_seconds", "Time until a request's answer begins", ("method", "route", "status"),
                  buckets=BUCKETS),
    )  # fmt: skip


def job_ended(model: str, state: str, code: str = "") -> None:
    """A job reached an end state; `code` is of its error."""
    _instruments().jobs.labels(model, state, code).inc()


def job_succeeded(model: str, device: str, seconds: float) -> None:
    """A job was committed, so long after it was begun."""
    job_ended(model, "succeeded")
    _instruments().processing_seconds.labels(model, device).observe(seconds)


def computed(model: str, device: str, seconds: float, track_seconds: float, cost: float, currency: str) -> None:
    """A device computed for so long; `track_seconds` is 0 where that was in vain."""
    _instruments().device_seconds.labels(model, device).inc(seconds)
    _instruments().cost.labels(currency).inc(cost)
    if track_seconds and seconds:
        _instruments().realtime_factor.labels(model, device).observe(track_seconds / seconds)


def retried(code: str) -> None:
    """An attempt failed and another one will be made."""
    _instruments().retries.labels(code).inc()


def leases_lost(number: int) -> None:
    """Jobs were taken from silent workers."""
    _instruments().lease_losses.inc(number)


def model_loaded(model: str, device: str, seconds: float, memory_bytes: int) -> None:
    """A model is ready to run."""
    _instruments().load_seconds.labels(model, device).observe(seconds)
    _instruments().memory_bytes.labels(model, device).set(memory_bytes)


def model_dropped(model: str, device: str) -> None:
    """A model made room for another."""
    _instruments().memory_bytes.labels(model, device).set(0)


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """A request has its answer."""
    _instruments().http_seconds.labels(method, route, str(status)).observe(seconds)


def folder_for_children(settings: Settings) -> dict[str, str]:
    """What a process's environment needs so that its children's figures come together.

    The folder is under a lock that this process takes with it into the program it becomes: with the process the lock
    goes, and with the lock, when the next process of ours starts here, the folder.
    """
    folder = settings.data_dir / "metrics" / str(os.getpid())
    try:
        sweep(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.db"):
            old.unlink()
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FatalError("bad_settings", f"the data folder can't be written: {error.strerror}") from error
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return {FOLDER: str(folder)}


def serve(settings: Settings) -> None:
    """Show the figures of this process and its children on `metrics_port`. Raises `FatalError` `port_taken`."""
    if not settings.metrics_port:
        return
    from prometheus_client import start_http_server

    _instruments()
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, _registry())
    except OSError as error:
        detail = f"metrics can't be shown on {settings.metrics_host}:{settings.metrics_port}: {error.strerror}"
        raise FatalError("port_taken", detail) from error


def exposition(store: JobStore, pools: list[Pool]) -> bytes:
    """The figures of this process and those beside it, and what the store knows, in Prometheus' text format."""
    _instruments()
    known = CollectorRegistry()
    known.register(_Known(store, pools))
    return generate_latest(_registry()) + generate_latest(known)


def _registry() -> CollectorRegistry:
    try:
        living = _Living()
    except ValueError:  # no folder: there are no processes beside this one
        return REGISTRY
    registry = CollectorRegistry()
    registry.register(living)
    return registry


class _Living(Collector):
    """The children's figures; what says how a process is now counts only while the process lives."""

    def __init__(self) -> None:
        from prometheus_client.multiprocess import MultiProcessCollector

        self._collector = cast(Any, MultiProcessCollector)(None)
        self._folder = Path(self._collector._path)

    def collect(self) -> Iterator[Metric]:
        """What Prometheus' registry calls."""
        for path in self._folder.glob("gauge_live*_*.db"):
            if not Path(f"/proc/{path.stem.rpartition('_')[2]}").exists():
                with contextlib.suppress(OSError):
                    path.unlink()
        yield from self._collector.collect()


class _Known(Collector):
    """What the rows tell: the same from whichever process is asked."""

    def __init__(self, store: JobStore, pools: list[Pool]) -> None:
        self._store = store
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        """What Prometheus' registry calls. A store that is away shows in `stemsvc_store_up` alone."""
        up = GaugeMetricFamily("stemsvc_store_up", "Whether the job store answers")
        try:
            statuses, ages = pool_statuses(self._store, self._pools), self._store.oldest_waiting()
        except StemsvcError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        depth = GaugeMetricFamily("demucs_queue_depth", "Jobs that wait", labels=("pool", "priority"))
        age = GaugeMetricFamily("demucs_queue_age_seconds", "Of the oldest job next in line", labels=("pool",))
        active = GaugeMetricFamily("demucs_active_jobs", "Jobs that run", labels=("pool",))
        slots = GaugeMetricFamily("demucs_live_slots", "Jobs that living workers can do at a time", labels=("pool",))
        memory = GaugeMetricFamily(
            "demucs_device_free_memory_bytes", "Of a worker's device", labels=("pool", "worker", "device")
        )
        told = set()
        for status in statuses:
            for priority in Priority:
                depth.add_metric([status.name, priority.word], status.waiting.get(priority, 0))
            age.add_metric([status.name], ages.get(status.name, 0.0))
            active.add_metric([status.name], status.running)
            slots.add_metric([status.name], status.slots)
            for seen in status.workers:
                free = seen.worker.free_memory_mb
                if free is not None and seen.worker.id not in told:
                    told.add(seen.worker.id)
                    memory.add_metric([status.name, seen.worker.id, seen.worker.device], free << 20)
        yield from (up, depth, age, active, slots, memory)
