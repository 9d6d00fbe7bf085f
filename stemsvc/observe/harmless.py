"""Keeps what only observes from changing what it observes.

All metrics, spans, log lines and usage figures are written inside `harmless`. An error there is logged and goes no
further: no answer and no job depends on a figure.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from billiard.exceptions import SoftTimeLimitExceeded

SAY_SECONDS = 60.0  # between two reports of one fault: a full disk breaks every figure of every request
_said: dict[tuple[type[BaseException], str, int], float] = {}  # by kind and place of the fault


@contextmanager
def harmless() -> Iterator[None]:
    """Log an error of what happens inside, each fault once a minute, and go on. A decorated function returns None.

    Celery's time limit passes: it is raised wherever the job happens to be, and is no error of what is there.
    """
    try:
        yield
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        _say(error)


def _say(error: Exception) -> None:
    try:
        place = _innermost(error.__traceback__)
        key, now = (type(error), *place), time.monotonic()
        if now < _said.get(key, 0.0):
            return
        _said[key] = now + SAY_SECONDS
        logging.getLogger(__name__).error("a figure, a span or a log line is lost", exc_info=error)
    except Exception:  # logging is what is broken
        sys.__stderr__ and sys.__stderr__.write(f"stemsvc can't log: {error!r}\n")


def _innermost(trace: TracebackType | None) -> tuple[str, int]:
    """File and line of the innermost call."""
    while trace and trace.tb_next:
        trace = trace.tb_next
    return (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else ("", 0)
