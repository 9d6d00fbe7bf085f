"""The auditor finds each thing that may be wrong: rows, objects and webhooks are spoilt one at a time."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.auditor import Auditor, Errand
from tests.faults.reader import Expectation, Reader
from tests.faults.world import Told

SECRET = base64.b64encode(b"s" * 32).decode()
TABLES = """
CREATE TABLE jobs (
  id, state, options, outputs, manifest_key, input_name, cached, error_code, owner, inputs, previews, workflow_id
);
CREATE TABLE workflows (id, options);
CREATE TABLE job_events (job_id, to_state);
CREATE TABLE webhook_deliveries (state);
CREATE TABLE webhook_secrets (secret);
CREATE TABLE uploads (id);
"""
KEY = "jobs/{}/attempt-1/vocals.flac"
SAID = {"sha256": "ab", "bytes": 3}


class Offline(Reader):
    """Takes the stems' bytes as right: there is no api to load them from."""

    def ended_well(self, job_id: str, state: str, expectation: Expectation) -> bool:
        return True


class Scene:
    """A job that succeeded with one stem, its errand and the webhook about it."""

    def __init__(self, folder: Path) -> None:
        self.database, self.objects, self.scratch = folder / "jobs.sqlite", folder / "objects", folder / "scratch"
        self.scratch.mkdir()
        self.errand = Errand("e1", "form", "succeeded", 44100, hook=True, asked=1, job_ids=["one"])
        with contextlib.closing(sqlite3.connect(self.database)) as tables:
            tables.executescript(TABLES)
        self.sql("INSERT INTO webhook_secrets VALUES (?)", f"whsec_{SECRET}")
        self.row("one", "e1")
        self.told = [self.webhook()]

    def sql(self, query: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.database, isolation_level=None)) as tables:
            tables.execute(query, values)

    def row(self, job_id: str, errand: str, state: str = "succeeded") -> None:
        options = json.dumps({"metadata": {"errand": errand}})
        outputs = json.dumps({"vocals": {"key": KEY.format(job_id), **SAID}})
        if state == "succeeded":
            self.put(KEY.format(job_id))
        inputs = json.dumps([{"name": "a.wav", "key": f"jobs/{job_id}/input"}])
        stored = outputs if state == "succeeded" else "{}"
        values = (job_id, state, options, stored, None, "a.wav", 0, None, "", inputs, None, None)
        self.sql(f"INSERT INTO jobs VALUES ({','.join('?' * len(values))})", *values)
        for each in ("queued", "running", state):
            self.sql("INSERT INTO job_events VALUES (?, ?)", job_id, each)

    def put(self, key: str) -> None:
        path = self.objects / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"abc")

    def webhook(self, kind: str = "job.succeeded", name: str = "msg_1", **changes: Any) -> Told:
        data: dict[str, Any] = {"id": "one", "state": "succeeded", "error": None, "metadata": {"errand": "e1"}}
        data |= {"files": {"vocals": SAID}}
        body = json.dumps({"type": kind, "timestamp": "now", "data": data | changes}).encode()
        moment = str(int(time.time()))
        digest = hmac.digest(b"s" * 32, f"{name}.{moment}.".encode() + body, "sha256")
        headers = {"webhook-id": name, "webhook-timestamp": moment}
        headers["webhook-signature"] = "v1,other v1," + base64.b64encode(digest).decode()
        return Told(headers, body, time.time())

    def found(self) -> dict[str, int]:
        """How many entries each count has, without those that have none."""
        auditor = Auditor(Offline(f"sqlite:///{self.database}", self.objects, ""), self.scratch)
        account = auditor.audit([self.errand], self.told)
        return {name: len(entries) for name, entries in vars(account).items() if entries}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_nothing_is_wrong_where_nothing_is(scene: Scene) -> None:
    assert scene.found() == {}


def _no_row(scene: Scene) -> None:
    scene.sql("DELETE FROM jobs")
    scene.sql("DELETE FROM job_events")
    (scene.objects / KEY.format("one")).unlink()


def _second_row(scene: Scene) -> None:
    scene.row("two", "e1", "succeeded")
    scene.errand.hook = False


def _second_answer(scene: Scene) -> None:
    _second_row(scene)
    scene.errand.job_ids.append("two")


def _second_end(scene: Scene) -> None:
    scene.sql("INSERT INTO job_events VALUES ('one', 'failed')")


def _no_end(scene: Scene) -> None:
    scene.sql("UPDATE jobs SET state = 'running'")
    scene.told = []


def _other_end(scene: Scene) -> None:
    scene.errand.canceled = True


def _undead(scene: Scene) -> None:
    scene.errand.deleted = True


def _nobodys(scene: Scene) -> None:
    scene.row("two", "e9", "failed")


def _canceled(scene: Scene, **source: str) -> None:
    """Its job was canceled, and its input is still stored."""
    scene.errand.canceled = True
    (scene.objects / KEY.format("one")).unlink()
    scene.put("jobs/one/input")
    inputs = json.dumps([{"name": "a.wav", "key": "jobs/one/input", **source}])
    scene.sql("UPDATE jobs SET state = 'canceled', outputs = '{}', inputs = ?", inputs)
    scene.sql("UPDATE job_events SET to_state = 'canceled' WHERE to_state = 'succeeded'")
    scene.told = [scene.webhook("job.canceled", state="canceled", files={})]


def _no_object(scene: Scene) -> None:
    (scene.objects / KEY.format("one")).unlink()


def _plan(scene: Scene, count: int = 1) -> None:
    """Its job was made by words: by the confirmed plan of a conversation, which has made so many workflows."""
    scene.errand.talk, scene.errand.hook, scene.told = "talk", False, []
    scene.sql("UPDATE jobs SET options = '{}', workflow_id = 'flow-0'")
    for number in range(count):
        options = json.dumps({"metadata": {"conversation_id": "talk"}})
        scene.sql("INSERT INTO workflows VALUES (?, ?)", f"flow-{number}", options)


def _no_workflow(scene: Scene) -> None:
    _plan(scene, 0)
    scene.sql("UPDATE jobs SET options = ?", json.dumps({"metadata": {"errand": "e1"}}))


def _workflow_of_nobody(scene: Scene) -> None:
    options = json.dumps({"metadata": {"conversation_id": "another"}})
    scene.sql("INSERT INTO workflows VALUES (?, ?)", "flow-9", options)


def _unsigned(scene: Scene) -> None:
    scene.told[0].headers["webhook-signature"] = "v1,AAAA"


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (_no_row, "lost"),
        (_second_row, "doubled"),
        (_second_answer, "doubled"),
        (_second_end, "doubled"),
        (_no_end, "stuck"),
        (_other_end, "wrong"),
        (_undead, "wrong"),
        (_nobodys, "wrong"),
        (_no_object, "wrong"),
        (lambda scene: _plan(scene, 2), "doubled"),
        (_no_workflow, "lost"),
        (_workflow_of_nobody, "wrong"),
        (lambda scene: scene.put("jobs/one/input"), "left"),
        (lambda scene: scene.put("jobs/gone/input"), "left"),
        (lambda scene: _canceled(scene, url="http://a.test/b.mp3"), "left"),
        (lambda scene: scene.put("jobs/one/attempt-1/.part-x"), "left"),
        (lambda scene: scene.put("uploads/gone/file"), "left"),
        (lambda scene: (scene.scratch / "one-1-x").mkdir(), "left"),
        (lambda scene: scene.told.clear(), "silent"),
        (lambda scene: scene.told.append(scene.webhook(name="msg_2")), "misled"),
        (lambda scene: scene.told.append(scene.webhook("job.failed")), "misled"),
        (lambda scene: scene.told.append(scene.webhook(files={})), "misled"),
        (lambda scene: scene.told.append(scene.webhook(metadata={"errand": "e2"})), "misled"),
    ],
)
def test_each_fault_is_counted_where_it_belongs(scene: Scene, spoil: Callable[[Scene], None], name: str) -> None:
    spoil(scene)

    assert name in scene.found()
    assert set(scene.found()) <= {name, "silent"}  # what is gone or unreadable is also missed


def test_a_webhook_that_is_not_signed_does_not_count(scene: Scene) -> None:
    _unsigned(scene)

    assert scene.found() == {"misled": 1, "silent": 1}


def test_a_webhook_that_comes_twice_and_one_of_progress_are_right(scene: Scene) -> None:
    scene.told += [scene.told[0], scene.webhook("job.progress", "msg_3", state="running")]

    assert scene.found() == {}


def test_a_canceled_job_keeps_the_track_that_came_with_it(scene: Scene) -> None:
    _canceled(scene)
    assert scene.found() == {}


def test_a_confirmed_plan_with_one_workflow_is_right(scene: Scene) -> None:
    _plan(scene)
    assert scene.found() == {}


def test_a_deleted_job_is_right_where_all_of_it_is_gone(scene: Scene) -> None:
    _no_row(scene)
    scene.errand.deleted = True

    assert scene.found() == {}
