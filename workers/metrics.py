"""What this worker's processes measure, for Prometheus.

Children write into files of a folder that they share, and their parent shows the sum: a child may die at any time.
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

from prometheus_client import Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import CollectorRegistry

from stemsvc.errors import FatalError
from stemsvc.settings import Settings
from workers.scratch import LOCK

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own
LOAD_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


@dataclass(frozen=True)
class _Instruments:
    load_seconds: Histogram
    memory_bytes: Gauge


@functools.cache
def _instruments() -> _Instruments:
    labels = ("model", "device")
    return _Instruments(
        Histogram("demucs_model_load_seconds", "Weights checked, loaded, converted", labels, buckets=LOAD_BUCKETS),
        Gauge("demucs_model_memory_bytes", "Memory that a loaded model took", labels, multiprocess_mode="livesum"),
    )


def model_loaded(model: str, device: str, seconds: float, memory_bytes: int) -> None:
    """A model is ready to run."""
    _instruments().load_seconds.labels(model, device).observe(seconds)
    _instruments().memory_bytes.labels(model, device).set(memory_bytes)


def model_dropped(model: str, device: str) -> None:
    """A model made room for another."""
    _instruments().memory_bytes.labels(model, device).set(0)


def folder_for_children(settings: Settings) -> dict[str, str]:
    """What a worker's environment needs so that its children's figures come together; nothing where none are shown.

    The folder lies in scratch under a lock that this process takes with it into the program it becomes: with the
    process the lock goes, and with the lock, at the next job on this machine, the folder.
    """
    if not settings.metrics_port:
        return {}
    folder = settings.resolved_scratch_dir / f"metrics-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.db"):
            old.unlink()
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FatalError("bad_settings", f"the scratch folder can't be written: {error.strerror}") from error
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return {FOLDER: str(folder)}


def serve(settings: Settings) -> None:
    """Show the figures of this worker's children on `metrics_port`. Raises `FatalError` `port_taken`."""
    if not settings.metrics_port:
        return
    from prometheus_client import start_http_server

    registry = CollectorRegistry()
    registry.register(_Living())
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        detail = f"metrics can't be shown on {settings.metrics_host}:{settings.metrics_port}: {error.strerror}"
        raise FatalError("port_taken", detail) from error


class _Living:
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
