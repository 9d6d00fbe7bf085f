"""Makes a trace span and metrics of each request. `/metrics` shows the metrics, as the port of metrics does."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flask import Flask, Response, g, request
from opentelemetry.trace import Span, SpanKind

from api.edge.request_id import request_id
from stemsvc.control.exposition import Exposition
from stemsvc.observe import metrics
from stemsvc.observe.harmless import harmless
from stemsvc.observe.traces import PARENT, Attributes, describe, mark_failed, span

PROBES = ("/healthz/live", "/healthz/ready", "/metrics")  # machines ask these every few seconds: they wait for nobody
PARAMETER = re.compile(r"<(?:[^<>]*:)?([^<>:]+)>")  # of a route of Flask's
LONGEST_METHOD = 40  # characters that a span keeps of a word that is no method
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def install(app: Flask) -> None:
    """Measure every request. Install it first, so that it measures the other parts too."""

    @app.before_request
    @harmless()
    def _begin() -> None:
        g.began = time.perf_counter()
        if request.path in PROBES:  # no spans
            return
        g.spans = ExitStack()
        parent = request.headers.get(PARENT)
        g.span = g.spans.enter_context(span(_span_name(), parent=parent, kind=SpanKind.SERVER))

    @app.after_request
    def _measure(response: Response) -> Response:
        with harmless():
            if "began" in g:
                seconds = time.perf_counter() - g.began - g.get("for_others", 0.0)
                metrics.answered(_method(), _route(), response.status_code, seconds)
            if "span" in g:
                _describe(g.span, response.status_code)
        return response

    @app.teardown_request
    @harmless()
    def _end(error: BaseException | None) -> None:
        if "spans" in g:
            g.pop("spans").close()

    shown = Exposition(app.extensions["stemsvc"].store, app.extensions["stemsvc"].pools)
    app.extensions["exposition"] = shown

    @app.get("/metrics")
    def _metrics() -> Response:
        return Response(shown.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


@contextmanager
def waiting_for_others() -> Iterator[None]:
    """Leave the time inside out of the request's seconds, because it says nothing of how fast we are.

    A client asks to wait for a job, sends its body as fast as its line is, or has us call a receiver of its webhooks.
    """
    began = time.perf_counter()
    try:
        yield
    finally:
        g.for_others = g.get("for_others", 0.0) + time.perf_counter() - began


def _route() -> str:
    """The route's pattern, never the path: a client must not choose the names of our metrics and spans."""
    return request.url_rule.rule if request.url_rule else "none"


def _template() -> str | None:
    """The route as OpenTelemetry writes it, `/v1/jobs/{job_id}`; None where no route was found."""
    return _written(request.url_rule.rule) if request.url_rule else None


@functools.cache
def _written(rule: str) -> str:
    return PARAMETER.sub(r"{\1}", rule)


def _span_name() -> str:
    """`GET /v1/jobs/{job_id}`; the method alone without a route, and `HTTP` for a word that is no method.

    See OpenTelemetry's semantic conventions for spans of HTTP servers.
    """
    method = _method()
    return " ".join(filter(None, ("HTTP" if method == "_OTHER" else method, _template())))


def _method() -> str:
    """The method where it is one of HTTP's: clients may send any word."""
    return request.method if request.method in METHODS else "_OTHER"  # OpenTelemetry's word for it


def _describe(made: Span, status: int) -> None:
    values: Attributes = {
        "http.request.method": _method(),
        "http.response.status_code": status,
        "stemsvc.request_id": request_id(),
    }
    if template := _template():
        values["http.route"] = template
    if _method() == "_OTHER":
        values["http.request.method_original"] = request.method[:LONGEST_METHOD]
    describe(made, values)
    if status >= 500:
        mark_failed(made)
