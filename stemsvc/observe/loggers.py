"""Our loggers. What a command prints on stdout is its own: programs read it."""

from __future__ import annotations

import logging
import sys
from typing import Any


def get_logger() -> Any:
    """A logger of structlog. Until `configure_logs` says more, it writes warnings and worse to stderr."""
    import structlog  # not at the top: commands that log nothing need not load it

    if not structlog.is_configured():
        quiet = structlog.make_filtering_bound_logger(logging.WARNING)
        # stderr as it is when something is written
        structlog.configure(wrapper_class=quiet, logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    return structlog.get_logger()
