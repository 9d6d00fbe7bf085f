"""`stemsvc jobs`: looked at, stopped, erased, sent again; ids by their beginnings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.embedded.ports import free_port
from stemsvc.jobs.record import JobState
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from tests.client.conftest import Reply, World
from tests.client.conftest import world as world
from tests.schema import fresh_schema
from tests.specs import job_of, spec_of

FIRST, SECOND, ODD = "abc" + "1" * 29, "abd" + "2" * 29, "a%c" + "3" * 29


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STEMSVC_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    (tmp_path / "data").mkdir()
    fresh_schema(Settings().resolved_database_url)
    made = JobStore(Settings().resolved_database_url)
    for job_id in (FIRST, SECOND, ODD):
        made.intake.put(
            job_of(job_id, JobState.QUEUED, spec_of("demo"), "separate.demo.cpu", f"jobs/{job_id}/input", "a.mp3"),
            "here",
        )
    return made


def jobs(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["jobs", *arguments])


def test_before_anything_was_started_one_line_says_so() -> None:
    for arguments in ((), ("show", "abc"), ("stuck",), ("cancel", "abc")):
        done = jobs(*arguments)
        assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1), done.output
        assert "store_missing" in done.stderr
        assert "stemsvc up" in done.stderr


def test_jobs_are_listed_whole(store: JobStore) -> None:
    assert all(each in jobs().stdout for each in (FIRST, SECOND))
    found = json.loads(jobs("--json").stdout)
    assert {each["id"] for each in found} == {FIRST, SECOND, ODD}
    assert jobs("--state", "failed").stdout == "no jobs\n"
    assert json.loads(jobs("--state", "failed", "--json").stdout) == []


def test_a_job_is_shown_by_the_beginning_of_its_id(store: JobStore) -> None:
    shown = jobs("show", "abc1").stdout
    assert FIRST in shown
    assert "here" in shown
    body = json.loads(jobs("show", "ABC", "--json").stdout)  # `%` is a letter like others
    assert (body["id"], body["timeline"][0]["to"], body["state"]) == (FIRST, "queued", "queued")


@pytest.mark.parametrize(("given", "code"), [("ab", "ambiguous_id"), ("abx", "job_not_found"), ("", "job_not_found")])
def test_what_names_no_job_or_several_is_told(store: JobStore, given: str, code: str) -> None:
    for command in ("show", "cancel", "delete"):
        refused = jobs(command, given)
        assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
        assert f"stemsvc: {code}: " in refused.stderr
    assert store.count()["queued"] == 3


def test_jobs_are_stopped_and_erased(store: JobStore) -> None:
    assert jobs("cancel", "abc", "abd").stdout == f"canceled {FIRST}\ncanceled {SECOND}\n"
    assert "job_finished" in jobs("cancel", "abc").stderr or jobs("cancel", "abc").exit_code == 0
    assert json.loads(jobs("show", "abc", "--json").stdout)["state"] == "canceled"
    assert jobs("delete", "abc", "--yes").stdout == f"deleted {FIRST}\n"
    assert store.get(FIRST) is None


def test_a_job_is_sent_again_by_the_api(store: JobStore, world: World) -> None:
    world.on(f"POST /v1/jobs/{FIRST}/retry", Reply(201, {"id": "new1", "state": "queued"}))
    world.on("POST /v1/jobs/elsewhere/retry", Reply(409, {"code": "job_live", "detail": "it runs"}))
    world.on(f"POST /v1/jobs/{SECOND}/retry", Reply(201, {"id": "new2", "state": "queued"}))

    assert jobs("retry", FIRST, "--url", world.url).stdout == f"{FIRST} is sent again as new1\n"
    assert "idempotency-key" in world.asked[0].headers
    refused = jobs("retry", "elsewhere", "--url", world.url, "--key", "k")
    assert (refused.exit_code, refused.stderr) == (1, "stemsvc: job_live: it runs\n")
    assert world.asked[-1].headers["authorization"] == "Bearer k"


def test_a_job_here_is_sent_again_by_the_beginning_of_its_id(
    store: JobStore, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.on(f"POST /v1/jobs/{SECOND}/retry", Reply(201, {"id": "new2", "state": "queued"}))
    monkeypatch.setenv("STEMSVC_API_PORT", world.url.rpartition(":")[2])
    assert json.loads(jobs("retry", "abd", "--json").stdout) == [{"id": "new2", "state": "queued"}]
