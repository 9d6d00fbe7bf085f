"""What our processes measure, for Prometheus.

The pool processes of a worker, or the processes of an api server, write into files of a folder that they share, and
the sum is shown: each of them may die at any time. `stemsvc.control.exposition` adds what the store knows of all.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from stemsvc.errors import BadSetting, StemsvcError
from stemsvc.host.folders import LOCK, sweep
from stemsvc.host.locks import take
from stemsvc.observe.harmless import harmless

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)  # seconds
FILE_BYTES = 1 << 20  # as many as prometheus_client gives a new file: room for some 10,000 figures
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable that prometheus_client reads
LOAD_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
JOB_BUCKETS = (1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120)
PACE_BUCKETS = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M")

_guard = threading.Lock()
_all: list[_Once[Any]] = []


class _Once(Generic[M]):
    """An instrument that is made at its first use, and once, however many threads use it first.

    Not at import: pool processes learn of their shared folder later. An instrument that can't be made is tried again
    at its next use, and is no trouble to the others.
    """

    def __init__(self, make: Callable[[], M]) -> None:
        self._make: Callable[[], M] = make
        self._made: M | None = None
        _all.append(self)

    def __call__(self) -> M:
        if self._made is None:
            with _guard:
                if self._made is None:
                    _take_room()
                    self._made = self._make()
        return self._made


@functools.cache
def _take_room() -> None:
    """Have the disk give this process's files of figures their blocks, once, before they are mapped into memory.

    A write into a mapped file without blocks kills the process (SIGBUS) where the disk is full. Raises `OSError` there.
    """
    try:
        folder = _folder()
    except ValueError:  # the figures stay in memory
        return
    for kind in ("counter", "histogram", "gauge_livesum"):
        path = folder / f"{kind}_{os.getpid()}.db"
        try:
            with path.open("ab") as file:
                if sys.platform == "linux":
                    os.posix_fallocate(file.fileno(), 0, FILE_BYTES)
        except OSError:
            path.unlink(missing_ok=True)  # nobody could read half a file
            raise


def shared_folder() -> Path | None:
    """The folder that this process shares with others; None where it keeps its figures for itself."""
    return Path(os.environ[FOLDER]) if FOLDER in os.environ else None


def _folder() -> Path:
    """The folder that this process shares with others; raises `ValueError` where there is none."""
    from prometheus_client.multiprocess import MultiProcessCollector

    return Path(cast(Any, MultiProcessCollector)(None)._path)


_BY = ("model", "device")
_WORK = ("kind", *_BY)
_jobs = _Once(
    lambda: Counter("demucs_jobs", "Jobs that ended, by state and error code", ("kind", "model", "state", "code"))
)
_processing_seconds = _Once(
    lambda: Histogram("demucs_processing_seconds", "Seconds from a lease to its commit", _WORK, buckets=JOB_BUCKETS)
)
_realtime_factor = _Once(
    lambda: Histogram("demucs_realtime_factor", "Seconds of track per second of computing", _WORK, buckets=PACE_BUCKETS)
)
_device_seconds = _Once(
    lambda: Counter("demucs_device_seconds", "Seconds that devices computed, also for attempts that failed", _WORK)
)
_cost = _Once(lambda: Counter("demucs_cost", "Price of the device seconds, by the settings", ("currency",)))
_retries = _Once(lambda: Counter("demucs_retries", "Failed attempts that another one follows", ("code",)))
_lease_losses = _Once(lambda: Counter("demucs_lease_losses", "Running jobs that were taken from silent workers"))
_load_seconds = _Once(
    lambda: Histogram(
        "demucs_model_load_seconds", "Seconds to check, load and convert weights", _BY, buckets=LOAD_BUCKETS
    )
)
_memory_bytes = _Once(
    lambda: Gauge("demucs_model_memory_bytes", "Memory that a loaded model takes", _BY, multiprocess_mode="livesum")
)
_http_seconds = _Once(
    lambda: Histogram(
        "stemsvc_http_seconds",
        "Seconds until a request's answer begins, without those in which it waits for its client or for a job",
        ("method", "route", "status"),
        buckets=BUCKETS,
    )
)
_open_streams = _Once(
    lambda: Gauge("stemsvc_open_streams", "Event streams and requests that wait for jobs", multiprocess_mode="livesum")
)
_webhook_tries = _Once(lambda: Counter("stemsvc_webhook_tries", "Tries to deliver webhooks, by outcome", ("outcome",)))
# Only a dispatcher sweeps, and it has no children: these two stay in its memory.
_swept_at = _Once(
    lambda: Gauge(
        "stemsvc_sweep_timestamp_seconds", "When the last whole sweep ended, or its process began", ("sweep",)
    )
)
_sweep_interval = _Once(lambda: Gauge("stemsvc_sweep_interval_seconds", "Pause between two sweeps", ("sweep",)))
storage_seconds = _Once(
    lambda: Histogram(
        "stemsvc_storage_seconds", "Seconds of a call to the storage", ("operation", "outcome"), buckets=BUCKETS
    )
)


@harmless()
def job_ended(kind: str, model: str, state: str, code: str = "") -> None:
    """Count a job that reached an end state; `code` is its error's."""
    _jobs().labels(kind, model, state, code).inc()


@harmless()
def processed(kind: str, model: str, device: str, seconds: float) -> None:
    """Observe a job that was committed `seconds` after its lease began."""
    _processing_seconds().labels(kind, model, device).observe(seconds)


@harmless()
def computed(kind: str, model: str, device: str, seconds: float, track_seconds: float) -> None:
    """Count seconds that a device computed; `track_seconds` is 0 where the attempt failed."""
    _device_seconds().labels(kind, model, device).inc(seconds)
    if track_seconds and seconds:
        _realtime_factor().labels(kind, model, device).observe(track_seconds / seconds)


@harmless()
def spent(cost: float, currency: str) -> None:
    """Count what computing cost, by the operator's price."""
    _cost().labels(currency).inc(cost)


@harmless()
def retried(code: str) -> None:
    """Count an attempt that failed with `code` and that another one follows."""
    _retries().labels(code).inc()


@harmless()
def leases_lost(number: int) -> None:
    """Count jobs that were taken from silent workers."""
    _lease_losses().inc(number)


@harmless()
def model_loaded(model: str, device: str, seconds: float, memory_bytes: int) -> None:
    """Observe how long a model took to get ready, and the memory that it takes."""
    _load_seconds().labels(model, device).observe(seconds)
    _memory_bytes().labels(model, device).set(memory_bytes)


@harmless()
def model_dropped(model: str, device: str) -> None:
    """Set the memory of a model that made room for another to 0."""
    _memory_bytes().labels(model, device).set(0)


@harmless()
def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Observe the seconds that a request's answer took to begin."""
    _http_seconds().labels(method, route, str(status)).observe(seconds)


@harmless()
def streams_opened(number: int) -> None:
    """Count event streams that open; negative: that end."""
    _open_streams().inc(number)


@harmless()
def webhook_tried(outcome: str) -> None:
    """Count a try to deliver a webhook: `delivered` or `failed`."""
    _webhook_tries().labels(outcome).inc()


@harmless()
def swept(sweep: str, interval: float) -> None:
    """Note that a sweep, which is made every `interval` seconds, is whole now; or that its process begins."""
    _swept_at().labels(sweep).set_to_current_time()
    _sweep_interval().labels(sweep).set(interval)


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
                _called(operation, outcome, time.perf_counter() - start)

        return measured

    return wrap


@harmless()
def _called(operation: str, outcome: str, seconds: float) -> None:
    storage_seconds().labels(operation, outcome).observe(seconds)


def folder_for_children(data_dir: Path) -> dict[str, str]:
    """The environment variable that names the metrics folder shared by a process and its children.

    This process keeps the folder's lock when it becomes another program. The lock ends with the process, and the next
    process of ours that starts here deletes the folder. Raises `FatalError` `bad_setting` where the data folder can't
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
        raise BadSetting(f"the data folder can't be written: {error.strerror}") from error
    os.set_inheritable(lock, True)
    take(lock, wait=True)
    return {FOLDER: str(folder)}


def registry() -> CollectorRegistry:
    """The metrics of this process and of those that share its folder."""
    for instrument in _all:
        with harmless():
            instrument()
    try:
        living = _Living()
    except ValueError:  # no folder: no other process shares its metrics
        return REGISTRY
    found = CollectorRegistry()
    found.register(living)
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # asks, and sends nothing; not every system has Linux' /proc
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        pass
    return True


class _Living(Collector):
    """The metrics of all processes that share the folder. The gauges of a process count only while it is alive."""

    def __init__(self) -> None:
        from prometheus_client.multiprocess import MultiProcessCollector

        self._collector = cast(Any, MultiProcessCollector)(None)
        self._folder = _folder()

    def collect(self) -> Iterator[Metric]:
        """The metrics, for Prometheus' registry. It deletes the gauges of dead processes first."""
        for path in self._folder.glob("gauge_live*_*.db"):
            if not _alive(int(path.stem.rpartition("_")[2])):
                with contextlib.suppress(OSError):
                    path.unlink()
        yield from self._collector.collect()
