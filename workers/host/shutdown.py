"""Remembers that this process was asked to stop, so that work in its threads ends early instead of being waited for."""

from __future__ import annotations

import threading

_requested = threading.Event()


class Stopping(BaseException):
    """Raised inside work that must be given back now. It is no `Exception`, so that no handler for the work's errors
    catches it.
    """


def request() -> None:
    """Make `check` raise from now on."""
    _requested.set()


def check() -> None:
    """Raise `Stopping` once the process was asked to stop."""
    if _requested.is_set():
        raise Stopping
