"""That this process was told to stop, for work that runs in its threads and would be waited for."""

from __future__ import annotations

import threading

_told = threading.Event()


class Stopping(BaseException):
    """Raised inside work that must be given back now. No `Exception`, so that nothing takes it for the work's own."""


def tell() -> None:
    """From now on `check` raises."""
    _told.set()


def check() -> None:
    """Raise `Stopping` once the process was told to stop."""
    if _told.is_set():
        raise Stopping
