"""Structured logs: JSON lines for machines, coloured lines on a terminal. Every line about a job has the job's id."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from stemsvc.observe.harmless import harmless
from stemsvc.observe.traces import add_trace_id


class _Logger(structlog.stdlib.BoundLogger):
    """A logger whose lines may get lost, but which never raises."""

    def _proxy_to_logger(self, method_name: str, event: str | None = None, *event_args: str, **event_kw: Any) -> Any:
        with harmless():
            super()._proxy_to_logger(method_name, event, *event_args, **event_kw)


def configure_logs(form: str, level: str) -> None:
    """Send structlog and the standard library's logging to stderr in one form: `json`, `console` or `auto`."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        add_trace_id,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=_Logger,
        cache_logger_on_first_use=False,
    )
    # plain tracebacks: the coloured ones show local variables, secrets among them, and take minutes over deep stacks
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer() if as_json else console
    ending = [structlog.processors.format_exc_info] if as_json else []
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # httpx logs every request's URL with its signature; Celery logs a line for each task, without the job's id
    for name in ("httpx", "httpx2", "celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
