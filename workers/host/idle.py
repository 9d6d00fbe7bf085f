"""Ends a worker that has had nothing to do for a while: who starts workers for the jobs that wait, takes none away.

A message that comes in the last moment goes back to its queue, because it is acknowledged late.
"""

from __future__ import annotations

import time
from typing import Any

from celery import bootsteps
from celery.worker import state

from stemsvc.observe.loggers import get_logger
from stemsvc.settings import Settings

LOOK_SECONDS = 1.0
DONE = 0  # exit status: a Kubernetes Job whose pod ends with it has succeeded


class IdleEnd(bootsteps.StartStopStep):  # type: ignore[misc]
    """A timer in the worker's event loop; without `STEMSVC_IDLE_EXIT_SECONDS` there is none."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._seconds = Settings().idle_exit_seconds
        self._busy_at = time.monotonic()

    def start(self, parent: Any) -> None:
        """Look whether there is work, every `LOOK_SECONDS`."""
        self._busy_at = time.monotonic()
        if self._seconds:
            parent.timer.call_repeatedly(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if state.reserved_requests or state.active_requests:
            self._busy_at = time.monotonic()
        elif time.monotonic() - self._busy_at >= self._seconds and state.should_stop is None:
            get_logger().info("the worker ends: it had nothing to do", seconds=self._seconds)
            state.should_stop = DONE  # what Celery's own remote shutdown sets
