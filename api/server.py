"""gunicorn settings that its command line does not take."""

from __future__ import annotations

import signal
import threading
from typing import Any

from api.edge.addresses import Addresses
from api.edge.headers import VARY, named
from api.edge.problem_types import ProblemTypes
from stemsvc.embedded.processes import die_with_parent
from stemsvc.observe import port
from stemsvc.observe.otlp_metrics import send_metrics, stop_sending
from stemsvc.settings import Settings


def on_starting(server: Any) -> None:
    """Listen on the port of metrics. The processes share its socket, for any of them can tell the metrics of all."""
    settings = Settings()
    server.metrics = port.listen(settings.metrics_host, settings.metrics_port) if settings.metrics_port else None


def post_fork(server: Any, worker: Any) -> None:
    """Kill this api process with its master: it would keep the port for seconds, and the next master would give up."""
    die_with_parent(signal.SIGKILL)
    worker.metrics = server.metrics


def addresses(settings: Settings) -> Addresses:
    """What counts the connections of each client. Raises `FatalError` `bad_setting`."""
    return Addresses(settings.connections_per_address, settings.proxy_networks, settings.trusted_proxies)


def post_worker_init(worker: Any) -> None:
    """Set what the worker needs of the settings. Have it end the event streams when it is asked to stop.

    It would wait for them; their clients reconnect.
    """
    settings = worker.wsgi.extensions["stemsvc"].settings
    worker.limit(settings.head_seconds, addresses(settings))
    shown = worker.wsgi.extensions["exposition"].registry
    if worker.metrics is not None:
        port.serve_on(worker.metrics, shown)
    send_metrics("api", settings, lambda: shown)
    worker.answer_with(ProblemTypes.of(settings), VARY if named(settings.cors_origins) else {})
    stop = signal.getsignal(signal.SIGTERM)

    def end_streams(number: int, frame: Any) -> None:
        threading.Thread(target=worker.wsgi.extensions["stemsvc"].end_streams, daemon=True).start()
        if callable(stop):
            stop(number, frame)

    signal.signal(signal.SIGTERM, end_streams)


def worker_exit(server: Any, worker: Any) -> None:
    """Send the metrics a last time, where this process has sent them for all."""
    stop_sending()
