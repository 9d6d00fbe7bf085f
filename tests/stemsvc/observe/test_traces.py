from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from stemsvc.errors import BadSetting, StorageUnavailable, TransientError
from stemsvc.observe import traces
from stemsvc.observe.traces import add_trace_id, configure_traces, current_parent, past_span, span, trace_id
from stemsvc.settings import Settings

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    monkeypatch.setattr(traces, "_provider", None)
    exporter = InMemorySpanExporter()
    configure_traces("test", "", 1.0, exporter)
    return exporter


def test_spans_hang_together_across_processes(exporter: InMemorySpanExporter) -> None:
    with span("request", {"stemsvc.job_id": "j"}, parent=PARENT):
        told = current_parent()
        assert add_trace_id(None, "info", {})["trace_id"] == "0af7651916cd43dd8448eb211c80319c" == trace_id(told)
    with span("job", parent=told):  # elsewhere, later
        past_span("wait", 10.0, 12.5)
    traces.flush()

    request, wait, job = exporter.get_finished_spans()
    assert {each.context.trace_id for each in (request, wait, job)} == {int("0af7651916cd43dd8448eb211c80319c", 16)}
    assert job.parent is not None
    assert wait.parent is not None
    assert job.parent.span_id == request.context.span_id
    assert wait.parent.span_id == job.context.span_id
    assert (wait.end_time or 0) - (wait.start_time or 0) == 2_500_000_000


def test_an_error_names_its_code_and_tells_no_more(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(TransientError), span("upload"):
        raise StorageUnavailable("https://bucket/key?signature=abc")
    traces.flush()

    (made,) = exporter.get_finished_spans()
    assert (made.status.status_code, made.status.description) == (StatusCode.ERROR, "storage_unavailable")
    assert made.attributes is not None
    assert made.attributes["error.type"] == "storage_unavailable"
    assert "signature" not in made.to_json()


def test_without_an_endpoint_there_are_trace_ids_and_no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_provider", None)
    configure_traces("test", "", 1.0)
    with span("request") as made:
        assert trace_id()
        assert not made.is_recording()
    assert trace_id() is None


@pytest.mark.long
def test_a_collector_that_is_away_costs_nobody_anything() -> None:
    code = """
from stemsvc.observe.traces import configure_traces, span
configure_traces("test", "http://127.0.0.1:9", 1.0)
with span("request"):
    print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n")


class Collector(BaseHTTPRequestHandler):
    """Keeps the headers of what is sent to it."""

    seen: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_collector_gets_the_headers_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_provider", None)
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        headers = "Authorization=Bearer%20a%2Cb, x-tenant=music"
        configure_traces("test", f"http://127.0.0.1:{server.server_port}", 1.0, headers=headers)
        with span("request"):
            pass
        traces.flush()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert Collector.seen[-1]["authorization"] == "Bearer a,b"
    assert Collector.seen[-1]["x-tenant"] == "music"


@pytest.mark.parametrize("text", ["token", "a b=c", "=value"])
def test_what_is_no_header_is_refused_without_its_value(text: str) -> None:
    with pytest.raises(BadSetting, match="STEMSVC_OTLP_HEADERS") as caught:
        Settings(otlp_headers=f"{text},x=a-secret")
    assert "a-secret" not in str(caught.value)
