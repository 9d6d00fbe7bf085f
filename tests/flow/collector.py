"""A collector that speaks OTLP over HTTP, as far as an exporter sees: it keeps the spans, lines and figures."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SERVICE, INSTANCE = "service.name", "service.instance.id"


@dataclass(frozen=True)
class KeptSpan:
    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    attributes: dict[str, Any]
    kind: int = 0
    events: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class KeptLine:
    service: str
    body: str
    trace_id: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class KeptFigure:
    """A point of a metric. `value` is a histogram's sum."""

    service: str
    instance: str
    name: str
    unit: str
    kind: str
    value: float
    attributes: dict[str, Any]
    start: int
    count: int = 0
    buckets: list[int] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)


@dataclass
class Collector:
    url: str
    spans: list[KeptSpan] = field(default_factory=list)
    lines: list[KeptLine] = field(default_factory=list)
    metrics: list[KeptFigure] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def of(self, trace_id: str) -> dict[str, KeptSpan]:
        return {span.name: span for span in self.spans if span.trace_id == trace_id}

    def keep(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            self.spans.extend(_spans(body))
        elif path == "/v1/logs":
            self.lines.extend(_lines(body))
        else:
            assert path == "/v1/metrics"
            self.metrics.extend(_figures(body))


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


def _facts(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _spans(body: bytes) -> Iterator[KeptSpan]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _facts(resource.resource.attributes)[SERVICE]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield KeptSpan(
                    service,
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    _facts(span.attributes),
                    span.kind,
                    [each.name for each in span.events],
                )


def _lines(body: bytes) -> Iterator[KeptLine]:
    for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
        service = _facts(resource.resource.attributes)[SERVICE]
        for scope in resource.scope_logs:
            for line in scope.log_records:
                yield KeptLine(service, line.body.string_value, line.trace_id.hex(), _facts(line.attributes))


def _figures(body: bytes) -> Iterator[KeptFigure]:
    for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        said = _facts(resource.resource.attributes)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points:
                    whole = kind == "histogram"
                    yield KeptFigure(
                        said[SERVICE],
                        said[INSTANCE],
                        metric.name,
                        metric.unit,
                        kind,
                        point.sum if whole else getattr(point, point.WhichOneof("value")),
                        _facts(point.attributes),
                        point.start_time_unix_nano,
                        point.count if whole else 0,
                        list(point.bucket_counts) if whole else [],
                        list(point.explicit_bounds) if whole else [],
                    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            kept.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            kept.keep(self.path, body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept = Collector(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()
