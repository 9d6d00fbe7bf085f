"""Log lines to an OpenTelemetry collector, beside those on stderr, each with its trace."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter

from stemsvc.observe.harmless import harmless
from stemsvc.observe.traces import read_headers, resource

OWN = ("opentelemetry", "urllib3", "requests")  # the exporter's own lines: to send them would make more of them
SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
)
INNER = ("event", "level", "timestamp", "trace_id", "exc_info", "stack_info")  # which the record has in its own fields
_guard = threading.Lock()
_provider: LoggerProvider | None = None


def configure_otlp_logs(service: str, endpoint: str, headers: str, exporter: LogRecordExporter | None = None) -> None:
    """Send this process's log lines to the collector at `endpoint`, by `headers` as `read_headers` takes them.

    Call it once in each process, after any fork, and after `configure_logs`.
    """
    global _provider
    with _guard:
        if _provider is None:
            _provider = LoggerProvider(resource=resource(service), shutdown_on_exit=True)
            if exporter is None:
                from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

                url = f"{endpoint.rstrip('/')}/v1/logs"
                exporter = OTLPLogExporter(endpoint=url, headers=read_headers(headers), timeout=5)
            _provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=1000))
        root = logging.getLogger()
        if not any(isinstance(each, _Handler) for each in root.handlers):  # `configure_logs` may come again
            root.addHandler(_Handler(_provider))


@harmless()
def flush_logs() -> None:
    """Send the kept lines within 2 s."""
    if _provider is not None:
        _provider.force_flush(2000)


class _Handler(logging.Handler):
    """Makes a record of each line; one that can't be made is lost, and changes nothing else."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line to the exporter's queue."""
        if record.name.partition(".")[0] in OWN:
            return
        with harmless():
            self._provider.get_logger(record.name).emit(_made(record))


def _made(record: logging.LogRecord) -> LogRecord:
    said: Mapping[str, Any] = record.msg if isinstance(record.msg, dict) else {}  # a line of structlog's
    attributes = {name: _plain(value) for name, value in said.items() if name not in INNER and not name.startswith("_")}
    if record.exc_info and record.exc_info[0] is not None:
        attributes["exception.type"] = record.exc_info[0].__name__
        attributes["exception.stacktrace"] = "".join(traceback.format_exception(*record.exc_info))
    return LogRecord(
        timestamp=int(record.created * 1e9),
        observed_timestamp=time.time_ns(),
        severity_text=record.levelname,
        severity_number=next((made for level, made in SEVERITIES if record.levelno >= level), SeverityNumber.DEBUG),
        body=str(said.get("event", "")) if said else record.getMessage(),
        attributes=attributes,
    )


def _plain(value: Any) -> str | bool | int | float:
    return value if isinstance(value, str | bool | int | float) else str(value)
