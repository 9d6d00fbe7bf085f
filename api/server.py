"""gunicorn settings that its command line does not take."""

from __future__ import annotations

import signal
import threading
from typing import Any

from api.edge.addresses import Addresses
from api.edge.headers import VARY, named
from api.edge.problem_types import ProblemTypes
from stemsvc.embedded.processes import die_with_parent


def post_fork(server: Any, worker: Any) -> None:
    """Kill this api process with its master: it would keep the port for seconds, and the next master would give up."""
    die_with_parent(signal.SIGKILL)


def post_worker_init(worker: Any) -> None:
    """Set what the worker needs of the settings. Have it end the event streams when it is asked to stop.

    It would wait for them; their clients reconnect.
    """
    settings = worker.wsgi.extensions["stemsvc"].settings
    worker.limit(settings.head_seconds, Addresses(settings.connections_per_address, settings.proxy_networks))
    worker.answer_with(ProblemTypes.of(settings), VARY if named(settings.cors_origins) else {})
    stop = signal.getsignal(signal.SIGTERM)

    def end_streams(number: int, frame: Any) -> None:
        threading.Thread(target=worker.wsgi.extensions["stemsvc"].watch.close, daemon=True).start()
        if callable(stop):
            stop(number, frame)

    signal.signal(signal.SIGTERM, end_streams)
