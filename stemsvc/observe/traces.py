"""Traces: one trace leads from the request that made a job to the webhook of its end.

The job's row keeps the trace's context, because another process may send the message much later. The message's headers
carry it too. Without an endpoint no span is kept, but every request and job still has a trace id for its logs.
"""

from __future__ import annotations

import functools
import os
import socket
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote

import structlog
from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stemsvc.errors import StemsvcError
from stemsvc.observe.harmless import harmless
from stemsvc.observe.metrics import FOLDER

PARENT = "traceparent"  # the W3C's header, and what a job's row keeps
Attributes = dict[str, str | int | float | bool]
_propagator = TraceContextTextMapPropagator()
_guard = threading.Lock()
_provider: TracerProvider | None = None


def configure_traces(
    service: str, endpoint: str, share: float, exporter: SpanExporter | None = None, headers: str = ""
) -> None:
    """Send `share` of this process's traces to the collector at `endpoint`; where it is empty, keep none.

    `headers` go with each request to it, as `read_headers` takes them. Call it once in each process, after any fork.
    """
    global _provider
    with _guard:
        if _provider is not None:
            return
        sampler: Sampler = ALWAYS_OFF
        if endpoint or exporter:
            sampler = ParentBased(TraceIdRatioBased(share))
        _provider = TracerProvider(sampler=sampler, resource=resource(service), shutdown_on_exit=True)
        if exporter is None and endpoint:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(
                endpoint=f"{endpoint.rstrip('/')}/v1/traces", headers=read_headers(headers), timeout=5
            )
        if exporter is not None:
            _provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))


def resource(service: str) -> Resource:
    """What OpenTelemetry says of this process: which of our services it is, and of which release."""
    return Resource.create(
        {
            "service.name": f"stemsvc-{service}",
            "service.version": version("stemsvc"),
            "service.namespace": "stemsvc",
            "service.instance.id": f"{socket.gethostname()}:{_instance()}",
        }
    )


def _instance() -> str:
    """The number of the process that this one belongs to: an api, or a worker with its pool processes."""
    return PurePath(os.environ.get(FOLDER, str(os.getpid()))).name


def read_headers(text: str) -> dict[str, str]:
    """Headers written as OpenTelemetry's own variable has them: `name=value,name=value`, values percent-encoded."""
    found = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in found}


@harmless()
def flush() -> None:
    """Send the kept spans within 2 s. Call it before a process ends without Python's own exit."""
    if _provider is not None:
        _provider.force_flush(2000)


@contextmanager
def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    parent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    start: float | None = None,
) -> Iterator[Span]:
    """A span around what happens inside, below `parent` (a traceparent) or the current one.

    `start` is in seconds since the epoch; None: now. The span of an error has its code, or its class where it has none,
    as `error.type`.
    """
    made: Span = INVALID_SPAN
    opened = ExitStack()
    with harmless():
        above = context.get_current() if parent is None else _propagator.extract({PARENT: parent})
        current = _tracer().start_as_current_span(
            name,
            context=above,
            kind=kind,
            attributes=attributes,
            start_time=None if start is None else int(start * 1e9),
            record_exception=False,
            set_status_on_exception=False,
        )
        made = opened.enter_context(current)
    try:
        yield made
    except StemsvcError as error:
        describe(made, {"error.type": error.code})
        mark_failed(made, error.code)
        raise
    except BaseException as error:
        describe(made, {"error.type": type(error).__name__})
        mark_failed(made)
        raise
    finally:
        with harmless():
            opened.close()


def _tracer() -> trace.Tracer:
    return trace.get_tracer("stemsvc") if _provider is None else _tracer_of(_provider)


@functools.cache
def _tracer_of(provider: TracerProvider) -> trace.Tracer:
    return provider.get_tracer("stemsvc")


@harmless()
def describe(made: Span, values: Attributes) -> None:
    """Give a span these attributes."""
    made.set_attributes(values)


@harmless()
def add_event(made: Span, name: str, values: Attributes) -> None:
    """Add an event of this moment to a span."""
    made.add_event(name, values)


@harmless()
def mark_failed(made: Span | None = None, description: str | None = None) -> None:
    """Mark a span as failed; None: the current one. Nothing secret may be in the description."""
    (trace.get_current_span() if made is None else made).set_status(Status(StatusCode.ERROR, description))


@harmless()
def past_span(name: str, start: float, end: float, attributes: Attributes | None = None) -> None:
    """A span of something that is over; `start` and `end` are in seconds since the epoch."""
    made = _tracer().start_span(name, attributes=attributes, start_time=int(min(start, end) * 1e9))
    made.end(int(end * 1e9))


@harmless()
def current_parent() -> str | None:
    """The traceparent that a message, a row or a request carries, so that its spans come below the current one."""
    carrier: MutableMapping[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get(PARENT)


@harmless()
def trace_id(parent: str | None = None) -> str | None:
    """The id of the current trace, or of that in a traceparent, as 32 hex digits; None without a trace."""
    above = None if parent is None else _propagator.extract({PARENT: parent})
    found = trace.get_current_span(above).get_span_context()
    return format(found.trace_id, "032x") if found.is_valid else None


def add_trace_id(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor of structlog that adds the trace's id to every line of a request or a job."""
    if "trace_id" not in event and (found := trace_id()):
        event["trace_id"] = found
    return event
