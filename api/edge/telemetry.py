"""Makes a trace span and metrics of each request. `/metrics` shows the metrics."""

from __future__ import annotations

import time
from contextlib import ExitStack

from flask import Flask, Response, g, request
from opentelemetry.trace import Span, SpanKind

from api.edge.request_id import request_id
from stemsvc.control.exposition import Exposition
from stemsvc.observe import metrics
from stemsvc.observe.harmless import harmless
from stemsvc.observe.traces import PARENT, Attributes, describe, mark_failed, span

PROBES = ("/healthz/live", "/healthz/ready", "/metrics")  # machines ask these every few seconds: they wait for nobody
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
        g.span = g.spans.enter_context(span(f"{_method()} {_route()}", parent=parent, kind=SpanKind.SERVER))

    @app.after_request
    def _measure(response: Response) -> Response:
        with harmless():
            if "began" in g:
                metrics.answered(_method(), _route(), response.status_code, time.perf_counter() - g.began)
            if "span" in g:
                _describe(g.span, response.status_code)
        return response

    @app.teardown_request
    @harmless()
    def _end(error: BaseException | None) -> None:
        if "spans" in g:
            g.pop("spans").close()

    shown = Exposition(app.extensions["stemsvc"].store, app.extensions["stemsvc"].pools)

    @app.get("/metrics")
    def _metrics() -> Response:
        return Response(shown.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _route() -> str:
    """The route's pattern, never the path: a client must not choose the names of our metrics and spans."""
    return request.url_rule.rule if request.url_rule else "none"


def _method() -> str:
    """The method where it is one of HTTP's: clients may send any word."""
    return request.method if request.method in METHODS else "_OTHER"  # OpenTelemetry's word for it


def _describe(made: Span, status: int) -> None:
    values: Attributes = {
        "http.request.method": _method(),
        "http.route": _route(),
        "http.response.status_code": status,
        "stemsvc.request_id": request_id(),
    }
    describe(made, values)
    if status >= 500:
        mark_failed(made)
