"""gunicorn's settings that can't be said on its command line."""

from __future__ import annotations

import signal
import threading
from typing import Any

from stemsvc.embedded.processes import die_with_parent


def post_fork(server: Any, worker: Any) -> None:
    """Workers of a master that was killed would keep its port for seconds, and the next master gives up meanwhile."""
    die_with_parent(signal.SIGKILL)


def post_worker_init(worker: Any) -> None:
    """Have a worker that is told to stop end its event streams, which it would wait for: their clients come back."""
    stop = signal.getsignal(signal.SIGTERM)

    def end_streams(number: int, frame: Any) -> None:
        threading.Thread(target=worker.wsgi.extensions["stemsvc"].watch.close, daemon=True).start()
        if callable(stop):
            stop(number, frame)

    signal.signal(signal.SIGTERM, end_streams)
