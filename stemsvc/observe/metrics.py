"""What our processes measure, for Prometheus.

The pool processes of a worker, or the processes of an api server, write into files of a folder that they share, and
the sum is shown: each of them may die at any time. `stemsvc.control.exposition` adds what the store knows of all.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from stemsvc.errors import BadSettings, PortTaken, StemsvcError
from stemsvc.folders import LOCK, sweep

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)  # seconds
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable that prometheus_client reads
LOAD_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
JOB_BUCKETS = (1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120)
PACE_BUCKETS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


P = ParamSpec("P")
R = TypeVar("R")


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
def storage_seconds() -> Histogram:
    """The instrument of `timed`."""
    return Histogram(
        "stemsvc_storage_seconds", "Seconds of a call to the storage", ("operation", "outcome"), buckets=BUCKETS
    )


@functools.cache
def _instruments() -> _Instruments:
    by = ("model", "device")
    work = ("kind", *by)
    return _Instruments(
        Counter("demucs_jobs", "Jobs that ended, by state and error code", ("kind", "model", "state", "code")),
        Histogram("demucs_processing_seconds", "Seconds from a lease to its commit", work, buckets=JOB_BUCKETS),
        Histogram("demucs_realtime_factor", "Seconds of track per second of computing", work, buckets=PACE_BUCKETS),
        Counter("demucs_device_seconds", "Seconds that devices computed, also for attempts that failed", work),
        Counter("demucs_cost", "Price of the device seconds, by the settings", ("currency",)),
        Counter("demucs_retries", "Failed attempts that another one follows", ("code",)),
        Counter("demucs_lease_losses", "Running jobs that were taken from silent workers"),
        Histogram("demucs_model_load_seconds", "Seconds to check, load and convert weights", by, buckets=LOAD_BUCKETS),
        Gauge("demucs_model_memory_bytes", "Memory that a loaded model takes", by, multiprocess_mode="livesum"),
        storage_seconds(),
        Histogram(
            "stemsvc_http_seconds",
            "Seconds until a request's answer begins",
            ("method", "route", "status"),
            buckets=BUCKETS,
        ),
    )


def job_ended(kind: str, model: str, state: str, code: str = "") -> None:
    """Count a job that reached an end state; `code` is its error's."""
    _instruments().jobs.labels(kind, model, state, code).inc()


def processed(kind: str, model: str, device: str, seconds: float) -> None:
    """Observe a job that was committed `seconds` after its lease began."""
    _instruments().processing_seconds.labels(kind, model, device).observe(seconds)


def computed(kind: str, model: str, device: str, seconds: float, track_seconds: float) -> None:
    """Count seconds that a device computed; `track_seconds` is 0 where the attempt failed."""
    _instruments().device_seconds.labels(kind, model, device).inc(seconds)
    if track_seconds and seconds:
        _instruments().realtime_factor.labels(kind, model, device).observe(track_seconds / seconds)


def spent(cost: float, currency: str) -> None:
    """Count what computing cost, by the operator's price."""
    _instruments().cost.labels(currency).inc(cost)


def retried(code: str) -> None:
    """Count an attempt that failed with `code` and that another one follows."""
    _instruments().retries.labels(code).inc()


def leases_lost(number: int) -> None:
    """Count jobs that were taken from silent workers."""
    _instruments().lease_losses.inc(number)


def model_loaded(model: str, device: str, seconds: float, memory_bytes: int) -> None:
    """Observe how long a model took to get ready, and the memory that it takes."""
    _instruments().load_seconds.labels(model, device).observe(seconds)
    _instruments().memory_bytes.labels(model, device).set(memory_bytes)


def model_dropped(model: str, device: str) -> None:
    """Set the memory of a model that made room for another to 0."""
    _instruments().memory_bytes.labels(model, device).set(0)


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Observe the seconds until a request's answer began."""
    _instruments().http_seconds.labels(method, route, str(status)).observe(seconds)


def timed(operation: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Measure the calls of a method of the storage. The outcome is `ok` or an error's code."""

    def wrap(call: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(call)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            start, outcome = time.perf_counter(), "ok"
            try:
                return call(*args, **kwargs)
            except StemsvcError as error:
                outcome = error.code
                raise
            finally:
                storage_seconds().labels(operation, outcome).observe(time.perf_counter() - start)

        return measured

    return wrap


def folder_for_children(data_dir: Path) -> dict[str, str]:
    """The environment variable that names the metrics folder shared by a process and its children.

    This process keeps the folder's lock when it becomes another program. The lock ends with the process, and the next
    process of ours that starts here deletes the folder. Raises `FatalError` `bad_settings` where the data folder can't
    be written.
    """
    folder = data_dir / "metrics" / str(os.getpid())
    try:
        sweep(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.db"):
            old.unlink()
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BadSettings(f"the data folder can't be written: {error.strerror}") from error
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return {FOLDER: str(folder)}


def serve(host: str, port: int) -> None:
    """Serve the metrics of this process and its children on that port; 0: not at all.

    Raises `FatalError` `port_taken`.
    """
    if not port:
        return
    from prometheus_client import start_http_server

    try:
        start_http_server(port, host, registry())
    except OSError as error:
        detail = f"metrics can't be shown on {host}:{port}: {error.strerror}"
        raise PortTaken(detail) from error


def registry() -> CollectorRegistry:
    """The metrics of this process and of those that share its folder."""
    _instruments()
    try:
        living = _Living()
    except ValueError:  # no folder: no other process shares its metrics
        return REGISTRY
    found = CollectorRegistry()
    found.register(living)
    return found


class _Living(Collector):
    """The metrics of all processes that share the folder. The gauges of a process count only while it is alive."""

    def __init__(self) -> None:
        from prometheus_client.multiprocess import MultiProcessCollector

        self._collector = cast(Any, MultiProcessCollector)(None)
        self._folder = Path(self._collector._path)

    def collect(self) -> Iterator[Metric]:
        """The metrics, for Prometheus' registry. It deletes the gauges of dead processes first."""
        for path in self._folder.glob("gauge_live*_*.db"):
            if not Path(f"/proc/{path.stem.rpartition('_')[2]}").exists():
                with contextlib.suppress(OSError):
                    path.unlink()
        yield from self._collector.collect()
