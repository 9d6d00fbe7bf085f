"""That this process was told to stop, for work that runs in its threads and would be waited for."""

from __future__ import annotations

import threading

_requested = threading.Event()


class Stopping(BaseException):
    """Raised inside work that must be given back now. No `Exception`, so that nothing takes it for the work's own."""


def request() -> None:
    """From now on `check` raises."""
    _requested.set()


def check() -> None:
    """Raise `Stopping` once the process was told to stop."""
    if _requested.is_set():
        raise Stopping
