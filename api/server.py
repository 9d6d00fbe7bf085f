"""gunicorn settings that its command line does not take."""

from __future__ import annotations

import signal
import threading
from typing import Any

from stemsvc.embedded.processes import die_with_parent


def post_fork(server: Any, worker: Any) -> None:
    """Kill this api process with its master: it would keep the port for seconds, and the next master would give up."""
    die_with_parent(signal.SIGKILL)


def post_worker_init(worker: Any) -> None:
    """End the event streams when this api process is asked to stop: it waits for them. Their clients reconnect."""
    stop = signal.getsignal(signal.SIGTERM)

    def end_streams(number: int, frame: Any) -> None:
        threading.Thread(target=worker.wsgi.extensions["stemsvc"].watch.close, daemon=True).start()
        if callable(stop):
            stop(number, frame)

    signal.signal(signal.SIGTERM, end_streams)
