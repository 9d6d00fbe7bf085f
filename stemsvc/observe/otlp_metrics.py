"""Metrics to an OpenTelemetry collector, beside the port on which Prometheus reads them.

Processes that share a folder of metrics know the figures of all of them, so one sends for all: the one that has the
folder's lock. When it dies, the next one has it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.registry import CollectorRegistry

from stemsvc.host.folders import LOCK
from stemsvc.host.locks import descriptor_flags, take
from stemsvc.observe import metrics
from stemsvc.observe.harmless import harmless
from stemsvc.observe.otlp_points import made_of
from stemsvc.observe.traces import read_headers, resource
from stemsvc.settings import Settings

SENDER = "otlp.lock"  # in the shared folder
SEND_SECONDS = 5.0  # for so long a collector may take
_guard = threading.Lock()
_sender: Sender | None = None


def send_metrics(service: str, settings: Settings, shown: Callable[[], CollectorRegistry] = metrics.registry) -> None:
    """Send what `shown` has to the settings' collector, where that is wanted. Call it once in each process that shows
    metrics, after any fork.
    """
    global _sender
    if not (settings.otlp_endpoint and settings.otlp_metrics):
        return
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    with _guard:
        if _sender is None:
            exporter = OTLPMetricExporter(
                endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/metrics",
                headers=read_headers(settings.otlp_headers.get_secret_value()),
                timeout=SEND_SECONDS,
            )
            _sender = Sender(service, exporter, settings.otlp_metrics_seconds, shown)
            _sender.start()


def stop_sending() -> None:
    """Send the figures a last time, within seconds, and no more. Call it before the process ends."""
    global _sender
    with _guard:
        ending, _sender = _sender, None
    if ending is not None:
        ending.stop()


class Sender:
    """Sends all metrics every `seconds`, in a thread, as long as this process is the one that sends."""

    def __init__(
        self, service: str, exporter: MetricExporter, seconds: float, shown: Callable[[], CollectorRegistry]
    ) -> None:
        self._service, self._exporter, self._seconds, self._shown = service, exporter, seconds, shown
        self._folder = metrics.shared_folder()
        self._lock: int | None = None
        self._start = _start_of(self._folder)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otlp-metrics", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Send a last time, and end; the lock is free for another process then."""
        self._ended.set()
        self._thread.join(SEND_SECONDS)
        if not self._thread.is_alive():
            self.send()
            self._exporter.shutdown()
            if self._lock is not None:
                os.close(self._lock)

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self.send()

    @harmless()
    def send(self) -> None:
        """Send the metrics of this moment, if no other process does."""
        if not self._turn():
            return
        made = list(made_of(self._shown().collect(), self._start, time.time_ns()))
        scope = ScopeMetrics(InstrumentationScope("stemsvc"), made, "")
        self._exporter.export(MetricsData([ResourceMetrics(resource(self._service), [scope], "")]))

    def _turn(self) -> bool:
        if self._folder is None or self._lock is not None:
            return True
        lock = os.open(self._folder / SENDER, descriptor_flags(os.O_RDWR | os.O_CREAT), 0o600)
        try:
            take(lock)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True


def _start_of(folder: Path | None) -> int:
    """When the counts began, in ns since the epoch: with the folder, whichever process sends them now."""
    return time.time_ns() if folder is None else (folder / LOCK).stat().st_mtime_ns
