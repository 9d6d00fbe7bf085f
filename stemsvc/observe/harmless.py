"""Keeps what only observes from changing what it observes.

All metrics, spans, log lines and usage figures are written inside `harmless`. An error there is logged and goes no
further: no answer and no job depends on a figure.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

from billiard.exceptions import SoftTimeLimitExceeded

P = ParamSpec("P")
R = TypeVar("R")
SAY_SECONDS = 60.0  # between two reports of one fault: a full disk breaks every figure of every request
_said: dict[tuple[type[BaseException], str, int], float] = {}  # by kind and place of the fault


class harmless:  # noqa: N801 - it reads as a word: `with harmless():`
    """Log an error of what happens inside, each fault once a minute, and go on. A decorated function returns None.

    Celery's time limit passes: it is raised wherever the job happens to be, and is no error of what is there. This is a
    class, not a generator with `contextmanager`, because each request enters it half a dozen times.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception) or isinstance(error, SoftTimeLimitExceeded):
            return False
        _say(error)
        return True

    def __call__(self, function: Callable[P, R]) -> Callable[P, R | None]:
        """The function, which does no harm."""

        @functools.wraps(function)
        def kept(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except SoftTimeLimitExceeded:
                raise
            except Exception as error:
                _say(error)
                return None

        return kept


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
