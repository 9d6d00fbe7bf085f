"""`stemsvc webhooks` and `stemsvc report`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stemsvc.accounts.keys import parse_token
from stemsvc.cli.main import main
from stemsvc.jobs.record import JobState, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from tests.schema import fresh_schema
from tests.specs import job_of, spec_of


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STEMSVC_PRICE_PER_DEVICE_HOUR", "36")
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def finished(owner: str = "") -> str:
    settings = Settings()
    settings.data_dir.mkdir(exist_ok=True)
    fresh_schema(settings.resolved_database_url)
    store, job_id = JobStore(settings.resolved_database_url), new_job_id()
    options = spec_of("demo", webhook_url="https://example.org/hook", webhook_events=("job.succeeded",))
    job = job_of(job_id, JobState.QUEUED, options, "separate.demo.cpu", input_key(job_id), "a.mp3", 1, owner=owner)
    store.intake.put(job, "accepted")
    taken = store.leases.take(job_id, "worker", 60)
    assert taken is not None
    store.usage.spend(job_id, 100.0)
    store.leases.succeed(taken[1], {"duration_seconds": 120.0}, {})
    store.close()
    return job_id


def test_deliveries_are_listed_and_sent_again() -> None:
    assert "no deliveries" in run("webhooks", "list").stdout
    job_id = finished()
    listed = run("webhooks", "list", "--state", "pending").stdout
    assert job_id in listed
    assert "job.succeeded" in listed
    assert "no deliveries" in run("webhooks", "list", "--state", "dead").stdout

    store = JobStore(Settings().resolved_database_url)
    (delivery,) = store.webhooks.recent()
    store.close()
    assert "1 will be sent again" in run("webhooks", "replay", delivery.id).stdout
    unknown = run("webhooks", "replay", "msg_x")
    assert (unknown.exit_code, "delivery_not_found" in unknown.stderr) == (1, True)


def test_secrets_are_shown_and_rotated() -> None:
    first = run("webhooks", "secret").stdout.strip()
    assert first.startswith("whsec_")
    assert run("webhooks", "secret").stdout.strip() == first
    assert json.loads(run("webhooks", "secret", "--json").stdout) == {"key_id": "", "secret": first}
    second = run("webhooks", "rotate").stdout.strip()
    assert second != first
    assert run("webhooks", "secret").stdout.strip() == second
    unknown = run("webhooks", "secret", "nobody")
    assert (unknown.exit_code, "key_not_found" in unknown.stderr) == (1, True)


def test_what_was_used_is_summed_up_and_priced() -> None:
    assert "no jobs" in run("report").stdout
    made = run("keys", "create", "the band", "--max-waiting", "3", "--minutes-per-day", "60.5")
    parts = parse_token(made.stdout.strip())
    assert parts is not None
    finished()
    finished(parts[0])
    finished(parts[0])

    lines = {re.split(r"\s{2,}", line)[0]: re.split(r"\s{2,}", line)[1:] for line in run("report").stdout.splitlines()}
    assert lines["the band"] == ["2", "2", "0", "0", "4.0", "200.0", "2.00"]
    assert lines["(no key)"][0] == "1"
    found = json.loads(run("report", "--json").stdout)
    assert {each["name"]: each["cost"] for each in found["accounts"]} == {"the band": 2.0, None: 1.0}
    assert "3 waiting, 60.5 min/day" in run("keys", "list").stdout
