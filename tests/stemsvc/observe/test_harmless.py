"""What only observes changes nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from stemsvc.errors import StorageUnavailable, TransientError
from stemsvc.observe import harmless as module
from stemsvc.observe import metrics, traces
from stemsvc.observe.harmless import harmless
from tests.observers import BREAKS, broken


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_said", {})


def test_a_fault_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    @harmless()
    def count() -> None:
        raise ValueError("no such label")

    for _ in range(100):
        count()
    assert [record.exc_info and str(record.exc_info[1]) for record in caplog.records] == ["no such label"]

    monkeypatch.setattr(module, "SAY_SECONDS", -1.0)
    module._said.clear()
    count()
    count()
    assert len(caplog.records) == 3


def test_a_broken_log_is_no_trouble_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(logging.Logger, "handle", fail)
    with harmless():
        raise ValueError


def test_the_end_of_a_jobs_time_passes() -> None:
    with pytest.raises(SoftTimeLimitExceeded), harmless():
        raise SoftTimeLimitExceeded
    with pytest.raises(SystemExit), harmless():
        raise SystemExit


@pytest.mark.parametrize("name", BREAKS)
def test_work_inside_a_span_goes_on_and_its_errors_stay_its_own(name: str) -> None:
    with broken(name):
        with traces.span("work", parent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") as made:
            traces.add_event(made, "batch", {"done": 1})
            traces.past_span("wait", 1.0, 2.0)
            assert traces.current_parent() is None or name not in ("spans can't be begun", "contexts can't be read")
        with pytest.raises(TransientError, match="down"), traces.span("work"):
            raise StorageUnavailable("down")

        @metrics.timed("put")
        def put() -> str:
            return "stored"

        assert put() == "stored"


RACE = """
import threading
import prometheus_client
from prometheus_client import metrics as vendor
from stemsvc.observe import metrics

make, begun = vendor.MetricWrapperBase.__init__, threading.Barrier(8)

def slowly(self, *arguments, **options):
    threading.Event().wait(0.01)
    make(self, *arguments, **options)

vendor.MetricWrapperBase.__init__ = slowly
failed = []
threading.excepthook = lambda failure: failed.append(failure.exc_value)

def request():
    begun.wait()
    metrics.answered("GET", "/v1/jobs", 200, 0.1)

threads = [threading.Thread(target=request) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
text = prometheus_client.generate_latest(metrics.registry()).decode()
assert not failed, failed
assert 'stemsvc_http_seconds_count{method="GET",route="/v1/jobs",status="200"} 8.0' in text, text
"""


def test_the_first_requests_come_at_once_and_are_all_counted() -> None:
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


FULL = """
mount -t tmpfs -o size=$2k tmpfs "$1" && export PROMETHEUS_MULTIPROC_DIR="$1" && exec "$3" -c '
from stemsvc.observe import metrics
for number in range(2000):
    metrics.answered("GET", f"/v1/jobs/{number % 40}", 200, 0.1)
    metrics.leases_lost(1)
print("it lives")
'
"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0,
    reason="needs a mount of its own, which this user or system may not have",
)
@pytest.mark.parametrize("kilobytes", [4, 1500, 2100])
def test_a_full_disk_costs_figures_and_no_process(tmp_path: Path, kilobytes: int) -> None:
    command = ["unshare", "--mount", "sh", "-c", FULL, "sh", str(tmp_path), str(kilobytes), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stdout) == (0, "it lives\n"), done.stderr
    assert "No space left" in done.stderr
