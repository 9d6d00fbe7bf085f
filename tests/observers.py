"""Breaks what only observes: figures, spans, log lines, usage figures. Nothing else may notice."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import prometheus_client
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import Span
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stemsvc.jobstore.usage import Usage
from stemsvc.observe import harmless, logs, metrics, traces

Break = Callable[[pytest.MonkeyPatch], None]


def fail(*_: Any, **__: Any) -> NoReturn:
    raise OSError(errno.ENOSPC, "no space left on the device")


def _making(patch: pytest.MonkeyPatch) -> None:
    for each in metrics._all:
        patch.setattr(each, "_made", None)
        patch.setattr(each, "_make", fail)


def _labels(patch: pytest.MonkeyPatch) -> None:
    for kind in (prometheus_client.Counter, prometheus_client.Gauge, prometheus_client.Histogram):
        patch.setattr(kind, "labels", fail)


def _counting(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(prometheus_client.Counter, "inc", fail)
    patch.setattr(prometheus_client.Gauge, "set", fail)
    patch.setattr(prometheus_client.Histogram, "observe", fail)


def _beginning_spans(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(traces, "_tracer", fail)


def _spans(patch: pytest.MonkeyPatch) -> None:
    for name in ("set_attributes", "set_attribute", "set_status", "add_event", "end"):
        patch.setattr(Span, name, fail)


def _contexts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(traces._propagator, "inject", fail)
    patch.setattr(traces._propagator, "extract", fail)
    patch.setattr(trace, "get_current_span", fail)


def _log_lines(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(logs, "add_trace_id", fail)
    logs.configure_logs("json", "INFO")


def _usage(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Usage, "spend", fail)


BREAKS: dict[str, Break] = {
    "instruments can't be made": _making,
    "labels can't be made": _labels,
    "figures can't be written": _counting,
    "spans can't be begun": _beginning_spans,
    "spans can't be written": _spans,
    "contexts can't be read": _contexts,
    "lines can't be logged": _log_lines,
    "usage can't be stored": _usage,
}


@contextmanager
def broken(*names: str) -> Iterator[None]:
    """Break these observers, by their names in `BREAKS`; spans are recorded otherwise."""
    config, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traces, "_provider", None)
        traces.configure_traces("test", "", 1.0, InMemorySpanExporter())
        patch.setattr(harmless, "_said", {})
        for name in names:
            BREAKS[name](patch)
        try:
            yield
        finally:
            structlog.configure(**config)
            root.handlers[:] = handlers
            root.setLevel(level)
