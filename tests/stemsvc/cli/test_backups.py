"""`stemsvc backup` and `stemsvc restore`, from each database into each."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from stemsvc.accounts.keys import Scope, new_key
from stemsvc.cli.main import main
from stemsvc.jobs.record import JobState, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.dump import LIVE, dump
from stemsvc.jobstore.engine import connect, migrate, newest_revision, revisions
from stemsvc.jobstore.workers import Worker
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.specs import job_of, spec_of


@pytest.fixture(autouse=True)
def _here(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    point_at(monkeypatch, url)


def point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("STEMSVC_DATABASE_URL", url)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def made(url: str) -> tuple[str, str]:
    """A store with a job that succeeded and one that waits, a key, a webhook; returns the ids of the jobs."""
    migrate(url)
    store = JobStore(url)
    key, _ = new_key("the bänd \N{EIGHTH NOTE}", frozenset({Scope.SUBMIT}))
    store.keys.add(key)
    ids = (new_job_id(), new_job_id())
    for job_id in ids:
        spec = spec_of("demo", webhook_url="https://example.org/hook", webhook_events=("job.succeeded",))
        job = job_of(job_id, JobState.QUEUED, spec, "separate.demo.cpu", input_key(job_id), "a.mp3", 1, owner=key.id)
        store.intake.put(job, "accepted")
    taken = store.leases.take(ids[0], "worker", 60)
    assert taken is not None
    store.leases.succeed(taken[1], {"duration_seconds": 2.0}, {"vocals": {"key": f"jobs/{ids[0]}/attempt-1/v.flac"}})
    store.workers.beat(Worker("one", ("separate.demo.cpu",), "cpu", "a processor"), 60)
    store.close()
    return ids


def rows_of(url: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    dump(url, lambda name, lines: found.update({name: [json.loads(line) for line in lines]}))
    return found


def without_acts(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: each for name, each in rows.items() if name != "audit"}


def test_all_rows_come_back_in_the_other_database(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    done, waits = made(url)
    before = rows_of(url)
    result = run("backup", str(tmp_path / "b.zip"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "b.zip").stat().st_mode & 0o077 == 0

    other = f"sqlite:///{tmp_path / 'other.sqlite'}"
    if url.startswith("sqlite"):
        other = str(request.getfixturevalue("postgres_url"))
    point_at(monkeypatch, other)
    result = run("restore", str(tmp_path / "b.zip"))
    assert result.exit_code == 0, result.output

    after = rows_of(other)
    assert without_acts(after) == without_acts(before)
    assert not set(after) & set(LIVE)
    store = JobStore(other)
    view = store.view(done)
    assert view is not None
    assert view.job.outputs["vocals"]["key"].startswith("jobs/")
    taken = store.leases.take(waits, "worker", 60)  # and the numbers of new rows don't collide with the loaded ones
    assert taken is not None
    assert store.leases.fail(taken[1], "worker_lost", "gone")
    assert store.audit.entries(9)[0].act == "restore"
    store.close()


def test_a_store_with_rows_is_left_alone_unless_told(url: str, tmp_path: Path) -> None:
    made(url)
    file = str(tmp_path / "b.zip")
    run("backup", file)
    store = JobStore(url)
    store.keys.add(new_key("a later key", frozenset())[0])
    store.workers.leave("one")

    refused = run("restore", file)
    assert (refused.exit_code, "store_not_empty" in refused.stderr) == (1, True)
    assert len(store.keys.all()) == 2
    store.processes.report("a-host:1", "api", {}, 60)
    alive = run("restore", file, "--overwrite")
    assert (alive.exit_code, "already_running" in alive.stderr) == (1, True)
    store.processes.leave("a-host:1")
    assert run("restore", file, "--overwrite").exit_code == 0
    assert [key.name for key in store.keys.all()] == ["the bänd \N{EIGHTH NOTE}"]
    store.close()


def test_a_backup_of_an_earlier_release_is_brought_up_to_date(url: str, tmp_path: Path) -> None:
    made(url)
    migrate(url, "0018")
    assert revisions(url)[0] == "0018"
    from stemsvc.control.backup import write_backup

    write_backup(tmp_path / "b.zip", url, None)
    result = run("restore", str(tmp_path / "b.zip"), "--overwrite")
    assert result.exit_code == 0, result.output
    assert revisions(url)[0] == newest_revision()
    store = JobStore(url)
    assert store.count()["succeeded"] == 1
    store.close()


def damaged(file: Path, change: dict[str, bytes | None]) -> None:
    """Write the zip again with some members changed or left out."""
    with zipfile.ZipFile(file) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(file, "w") as new:
        for name, data in {**members, **change}.items():
            if data is not None:
                new.writestr(name, data)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # the file is read before any database
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tables/jobs.jsonl": b"{}\n"}, "backup_broken"),
        ({"tables/jobs.jsonl": None}, "backup_broken"),
        ({"tables/more.jsonl": b""}, "backup_broken"),
        ({"manifest.json": b"[]"}, "backup_broken"),
        ({"manifest.json": None}, "backup_broken"),
        ({"manifest.json": b'{"format": 2}'}, "backup_unknown"),
    ],
)
def test_a_damaged_backup_changes_nothing(url: str, tmp_path: Path, change: dict[str, bytes | None], code: str) -> None:
    made(url)
    file = tmp_path / "b.zip"
    run("backup", str(file))
    damaged(file, change)

    result = run("restore", str(file), "--overwrite")

    assert (result.exit_code, f"stemsvc: {code}:" in result.stderr) == (1, True), result.output
    engine = connect(url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM jobs")).scalar() == 2
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # the files lie in a folder beside either database
def test_files_go_along_where_wanted(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, _ = made(url)
    key = f"jobs/{done}/attempt-1/v.flac"
    open_storage(Settings()).put(key, io.BytesIO(b"music"), "audio/flac")
    file = str(tmp_path / "b.zip")
    assert "1 files of 5 bytes" in run("backup", file, "--files").output
    assert "every checksum fits" in run("restore", file, "--check").output

    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("STEMSVC_DATABASE_URL")
    result = run("restore", file)

    assert "1 files" in result.output
    with open_storage(Settings()).open(key) as found:
        assert found.read() == b"music"
    again = run("backup", file)
    assert (again.exit_code, "bad_output" in again.stderr) == (1, True)
