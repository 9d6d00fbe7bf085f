"""`stemsvc report daily`, on both databases."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stemsvc.accounts.keys import Scope, new_key
from stemsvc.cli.main import main
from stemsvc.jobs.record import JobState, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from tests.specs import job_of, spec_of


@pytest.fixture(autouse=True)
def _here(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STEMSVC_DATABASE_URL", url)
    monkeypatch.setenv("STEMSVC_PRICE_PER_DEVICE_HOUR", "2")
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "data").mkdir()
    migrate(url)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def a_day(url: str) -> str:
    """Three jobs that succeeded, one that waits, and one that failed, which it returns; the key has an evil name."""
    store = JobStore(url)
    key, _ = new_key("<script>alert(1)</script>", frozenset({Scope.SUBMIT}))
    store.keys.add(key)
    ids = [new_job_id() for _ in range(5)]
    for job_id in ids:
        owner, place = "" if job_id == ids[0] else key.id, input_key(job_id)
        job = job_of(job_id, JobState.QUEUED, spec_of("demo"), "separate.demo.cpu", place, "a.mp3", 1000, owner=owner)
        store.intake.put(job, "accepted")
    for job_id in ids[:4]:
        taken = store.leases.take(job_id, "worker", 60)
        assert taken is not None
        store.usage.spend(job_id, 1800.0)
        if job_id == ids[3]:
            store.leases.fail(taken[1], "worker_lost", "gone")
        else:
            outputs = {"vocals": {"key": f"jobs/{job_id}/attempt-1/v.flac", "bytes": 5_000_000}}
            store.leases.succeed(taken[1], {"duration_seconds": 240.0}, outputs)
    store.close()
    return ids[3]


def test_a_day_is_summed_up(url: str) -> None:
    failed = a_day(url)

    found = json.loads(run("report", "daily", "--json").stdout)

    assert found["jobs"] == {"succeeded": 3, "failed": 1, "canceled": 0, "running": 0, "queued": 1}
    assert (found["device_hours"], found["cost"], found["audio_hours"]) == (2.0, 4.0, 0.2)
    assert found["failures"] == [{"code": "worker_lost", "kind": "separate", "count": 1, "last_job": failed}]
    assert 0 <= found["waiting"]["p50"] <= found["waiting"]["p95"] <= found["waiting"]["max"] < 600
    assert found["stored_bytes"] == 3 * 5_000_000 + 1000 + 1000  # stems, the failed job's song, the waiting one's
    assert [(each["name"], each["jobs"], each["device_hours"]) for each in found["keys"]] == [
        ("<script>alert(1)</script>", 4, 1.5),
        (None, 1, 0.5),
    ]
    assert found["models"] == [{"kind": "separate", "model": "demo", "jobs": 5, "device_hours": 2.0}]
    assert len(found["hours"]) == 24
    assert sum(sum(hour["jobs"].values()) for hour in found["hours"]) == 5
    text = run("report", "daily").stdout
    assert "3 succeeded, 1 failed, 1 queued" in text
    assert "2.00 h, 4.00 EUR" in text
    assert "worker_lost" in text


class Tags(HTMLParser):
    """Every tag and address of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_shows_what_was(url: str, tmp_path: Path) -> None:
    a_day(url)
    result = run("report", "daily", "--html", str(tmp_path / "day.html"))
    assert result.exit_code == 0, result.output
    page = (tmp_path / "day.html").read_text()
    read = Tags()
    read.feed(page)

    assert read.open == []
    assert read.addresses == []
    assert "script" not in read.tags
    assert not re.search(r"url\(|@import|https?:", page)
    assert read.tags.count("svg") == 3
    assert " failed</title>" in page
    assert "&lt;script&gt;" in page


def test_a_day_without_jobs_is_reported_too(tmp_path: Path) -> None:
    result = run("report", "daily", "--date", "2020-02-29", "--html", str(tmp_path / "day.html"))
    assert result.exit_code == 0, result.output
    assert "No job failed." in (tmp_path / "day.html").read_text()
    assert "jobs: none" in run("report", "daily", "--date", "2020-02-29").stdout
    refused = run("report", "daily", "--html", str(tmp_path / "no" / "day.html"))
    assert (refused.exit_code, "bad_output" in refused.stderr) == (1, True)
