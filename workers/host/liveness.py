"""A file that this worker's main loop touches: while the file is fresh, the loop is alive."""

from __future__ import annotations

from typing import Any

from celery import bootsteps

from stemsvc.settings import Settings

SECONDS = 5.0


class Liveness(bootsteps.StartStopStep):
    """A timer in the worker's event loop. A separate thread would touch the file even when the loop hangs."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._path = Settings().alive_file
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """Touch the file now and every `SECONDS`."""
        if self._path is not None:
            self._path.touch()
            self._timer = parent.timer.call_repeatedly(SECONDS, self._path.touch)

    def stop(self, parent: Any) -> None:
        """Keep the file: a worker that finishes its jobs after a SIGTERM is still alive."""
