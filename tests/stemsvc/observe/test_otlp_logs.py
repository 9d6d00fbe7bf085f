"""Log lines reach a collector with their fields, their trace and their severity."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
import structlog
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stemsvc.observe import otlp_logs, traces
from stemsvc.observe.logs import configure_logs
from stemsvc.observe.otlp_logs import configure_otlp_logs, flush_logs
from stemsvc.observe.traces import configure_traces, span, trace_id


class Collector(BaseHTTPRequestHandler):
    """Keeps what is sent to it, by path."""

    seen: ClassVar[list[tuple[str, str, ExportLogsServiceRequest]]] = []

    def do_POST(self) -> None:
        import gzip

        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        self.seen.append((self.path, self.headers.get("x-tenant", ""), ExportLogsServiceRequest.FromString(data)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root, handlers, level = logging.getLogger(), list(logging.getLogger().handlers), logging.getLogger().level
    monkeypatch.setattr(otlp_logs, "_provider", None)
    monkeypatch.setattr(traces, "_provider", None)
    Collector.seen.clear()
    yield
    if otlp_logs._provider is not None:
        otlp_logs._provider.shutdown()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fields(record: Any) -> dict[str, str]:
    return {each.key: each.value.string_value or str(each.value.int_value) for each in record.attributes}


def test_lines_of_ours_and_of_libraries_come_with_their_trace(address: str) -> None:
    structlog.contextvars.clear_contextvars()
    configure_logs("json", "INFO")
    configure_traces("test", "", 1.0, InMemorySpanExporter())
    configure_otlp_logs("test", address, "x-tenant=music")
    configure_otlp_logs("test", address, "x-tenant=music")  # a second call sends no line twice
    with span("job"):
        found = trace_id()
        structlog.get_logger("stemsvc.job").warning("job moved", job_id="j", pool="cpu", attempt=2)
    logging.getLogger("celery").info("ready %s", "now")
    logging.getLogger("urllib3.connectionpool").warning("of the exporter itself")
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("sweep failed")
    flush_logs()

    path, tenant, sent = Collector.seen[0]
    assert (path, tenant) == ("/v1/logs", "music")
    (resource,) = sent.resource_logs
    assert {each.key: each.value.string_value for each in resource.resource.attributes}[
        "service.name"
    ] == "stemsvc-test"
    records = [record for scope in resource.scope_logs for record in scope.log_records]
    by_body = {record.body.string_value: record for record in records}
    assert set(by_body) == {"job moved", "ready now", "sweep failed"}
    moved = by_body["job moved"]
    assert fields(moved) == {"job_id": "j", "pool": "cpu", "attempt": "2"}
    assert (moved.trace_id.hex(), moved.severity_text, moved.severity_number) == (found, "WARNING", 13)
    assert fields(by_body["sweep failed"])["exception.type"] == "ValueError"
    assert "raise ValueError" in fields(by_body["sweep failed"])["exception.stacktrace"]


def test_a_collector_that_is_away_costs_lines_and_nothing_else() -> None:
    configure_logs("json", "INFO")
    configure_otlp_logs("test", "http://127.0.0.1:9", "")
    structlog.get_logger().info("lost")
    flush_logs()
