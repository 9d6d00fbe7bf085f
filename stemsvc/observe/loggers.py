"""Our loggers. What a command prints on stdout is its own: programs read it."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def get_logger() -> Any:
    """A logger of structlog. Until `configure_logs` says more, it writes warnings and worse to stderr."""
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING), logger_factory=_on_stderr
        )
    return structlog.get_logger()


def _on_stderr(*_: object) -> structlog.PrintLogger:
    return structlog.PrintLogger(sys.stderr)  # as it is now
