"""Makes a trace span and metrics of each request. `/metrics` shows the metrics."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from flask import Flask, Response, g, request
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from api.edge.request_id import request_id
from api.services import services
from stemsvc.control.exposition import exposition
from stemsvc.observe import metrics
from stemsvc.observe.traces import PARENT, span

QUIET = ("/healthz/live", "/healthz/ready", "/metrics")  # no spans: machines ask these every few seconds


def install(app: Flask) -> None:
    """Measure every request. Install it first, so that it measures the other parts too."""

    @app.before_request
    def _begin() -> None:
        g.began = time.perf_counter()
        if request.path in QUIET:
            return
        g.spans = ExitStack()
        parent = request.headers.get(PARENT)
        g.span = g.spans.enter_context(span(f"{request.method} {_route()}", parent=parent, kind=SpanKind.SERVER))

    @app.after_request
    def _measure(response: Response) -> Response:
        if "began" in g:
            metrics.answered(request.method, _route(), response.status_code, time.perf_counter() - g.began)
        if "span" in g:
            _describe(g.span, response.status_code)
        return response

    @app.teardown_request
    def _end(error: BaseException | None) -> None:
        if "spans" in g:
            g.pop("spans").close()

    @app.get("/metrics")
    def _metrics() -> Response:
        text = exposition(services().store, services().pools)
        return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")


def _route() -> str:
    """The route's pattern, never the path: a client must not choose the names of our metrics and spans."""
    return request.url_rule.rule if request.url_rule else "none"


def _describe(made: Span, status: int) -> None:
    values: dict[str, Any] = {
        "http.request.method": request.method,
        "http.route": _route(),
        "http.response.status_code": status,
        "stemsvc.request_id": request_id(),
    }
    made.set_attributes(values)
    if status >= 500:
        made.set_status(Status(StatusCode.ERROR))
