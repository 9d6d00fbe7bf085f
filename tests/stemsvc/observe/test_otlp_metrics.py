"""Metrics reach a collector under Prometheus' names, with Prometheus' figures, once for all processes of a program."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily

from stemsvc.observe import otlp_metrics
from stemsvc.observe.metrics import folder_for_children
from stemsvc.observe.otlp_metrics import send_metrics, stop_sending
from stemsvc.observe.otlp_points import made_of
from stemsvc.settings import Settings
from tests.flow.collector import Collector, collecting
from tests.processes import plain_environment, wait_for

HEADERS = "Authorization=Bearer%20a%2Cb, x-tenant=music"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def shown() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(otlp_metrics, "_sender", None)
    yield
    stop_sending()


def wanted(url: str, seconds: float = 1.0) -> Settings:
    return Settings(otlp_endpoint=url, otlp_metrics=True, otlp_metrics_seconds=seconds, otlp_headers=HEADERS)


def test_counts_gauges_and_histograms_keep_their_names_and_figures(
    collector: Collector, shown: CollectorRegistry
) -> None:
    Counter("demucs_jobs", "Jobs that ended", ("state",), registry=shown).labels("failed").inc(3)
    Gauge("demucs_model_memory_bytes", "Memory", registry=shown).set(7)
    seconds = Histogram("stemsvc_http_seconds", "Seconds", ("route",), buckets=(0.5, 1, 5), registry=shown)
    for value in (0.1, 0.7, 0.8, 99.0):
        seconds.labels("/v1/jobs").observe(value)

    send_metrics("test", wanted(collector.url, 3600), lambda: shown)
    stop_sending()  # sends what nobody has sent yet

    found = {each.name: each for each in collector.metrics}
    jobs, memory, http = (
        found[name] for name in ("demucs_jobs_total", "demucs_model_memory_bytes", "stemsvc_http_seconds")
    )
    assert (jobs.kind, jobs.value, jobs.attributes, jobs.unit) == ("sum", 3.0, {"state": "failed"}, "1")
    assert (memory.kind, memory.value, memory.unit) == ("gauge", 7.0, "By")
    assert (http.kind, http.buckets, http.bounds, http.unit) == ("histogram", [1, 2, 0, 1], [0.5, 1.0, 5.0], "s")
    assert http.value == pytest.approx(100.6)
    assert (http.count, http.attributes) == (4, {"route": "/v1/jobs"})
    assert jobs.service == "stemsvc-test"
    assert jobs.instance
    (headers,) = (each for path, each in collector.requests if path == "/v1/metrics")
    assert (headers["authorization"], headers["x-tenant"]) == ("Bearer a,b", "music")


def test_figures_come_again_and_again(collector: Collector, shown: CollectorRegistry) -> None:
    counter = Counter("rounds", "Rounds", registry=shown)
    send_metrics("test", wanted(collector.url), lambda: shown)
    send_metrics("test", wanted(collector.url), lambda: shown)  # a second call sends nothing twice
    wait_for("the first figures", lambda: collector.metrics)
    counter.inc(5)
    wait_for("the later ones", lambda: any(each.value == 5 for each in collector.metrics))
    assert len({each.start for each in collector.metrics}) == 1


def test_nothing_is_sent_unless_it_is_wanted(collector: Collector) -> None:
    send_metrics("test", Settings(otlp_endpoint=collector.url))
    send_metrics("test", Settings(otlp_metrics=True))
    assert otlp_metrics._sender is None


SHARING = """
import sys
from stemsvc.observe.metrics import job_ended
from stemsvc.observe.otlp_metrics import send_metrics
from stemsvc.settings import Settings

job_ended("separate", "demo", "succeeded")
send_metrics("test", Settings())
print("counts", flush=True)
sys.stdin.read()
"""


def test_of_processes_that_share_a_folder_one_sends_for_all(collector: Collector, tmp_path: Path) -> None:
    environment = plain_environment(
        STEMSVC_OTLP_ENDPOINT=collector.url,
        STEMSVC_OTLP_METRICS="true",
        STEMSVC_OTLP_METRICS_SECONDS="1",
        **folder_for_children(tmp_path),
    )

    def another() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SHARING], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "counts\n"
        return process

    def jobs() -> list[float]:
        return [each.value for each in list(collector.metrics) if each.name == "demucs_jobs_total"]

    first = another()
    wait_for("its count", lambda: jobs() and jobs()[-1] == 1)
    second = another()
    wait_for("both counts", lambda: jobs()[-1] == 2)
    senders = len({each.instance for each in collector.metrics})
    first.kill()
    first.communicate()
    seen = len(jobs())
    wait_for("the other process to send", lambda: len(jobs()) > seen)
    second.kill()
    second.communicate()

    assert senders == 1
    assert jobs()[-1] == 2  # what the dead one counted stays counted
    assert len({each.start for each in collector.metrics if each.name == "demucs_jobs_total"}) == 1
    assert {each.instance for each in collector.metrics if each.name == "demucs_jobs_total"} == {
        collector.metrics[0].instance
    }


def test_a_collector_that_is_away_costs_figures_and_nothing_else(shown: CollectorRegistry) -> None:
    Counter("rounds", "Rounds", registry=shown)
    send_metrics("test", wanted("http://127.0.0.1:9", 3600), lambda: shown)
    stop_sending()


def test_a_family_without_figures_is_not_sent() -> None:
    assert list(made_of([GaugeMetricFamily("empty", "Nothing", labels=("pool",))], 0, 1)) == []
