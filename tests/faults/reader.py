"""Finds out how the accepted jobs ended, from the tables, the storage's folder and the downloaded bytes.

It uses none of the product's code on purpose: a fault in that code must not hide itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import soundfile

from tests.processes import wait_for

ENDED = ("succeeded", "failed", "canceled")
SCORE = "score"  # a generation's file that is no sound


@dataclass(frozen=True)
class Expectation:
    """The state in which a job must end, and the samples per channel that its stems must have."""

    state: str
    frames: int


@dataclass
class Findings:
    """Jobs by what is wrong with them: their ids, and of wrong ends what they are."""

    lost: list[str] = field(default_factory=list)  # no row, or no end
    doubled: list[str] = field(default_factory=list)  # more than one commit, or files of more than one
    wrong: list[str] = field(default_factory=list)  # a wrong end state, or wrong stems

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)


@dataclass(frozen=True)
class Reader:
    """Reads the results of a stage: the database's URL, the folder of the objects, the api's URL."""

    database: str
    objects: Path
    url: str

    def read(self, expected: Mapping[str, Expectation]) -> Findings:
        """Check every expected job."""
        findings = Findings()
        with self.tables() as ask:
            for job_id, expectation in expected.items():
                columns = "state, outputs, manifest_key, inputs, previews, error_code, error_detail"
                rows = ask(f"SELECT {columns} FROM jobs WHERE id = ?", job_id)
                if not rows or rows[0][0] not in ENDED:
                    findings.lost.append(job_id)
                    continue
                state, outputs, manifest, inputs, previews, *error = rows[0]
                states = [s for (s,) in ask("SELECT to_state FROM job_events WHERE job_id = ?", job_id)]
                outputs = json.loads(outputs) if isinstance(outputs, str) else outputs
                previews = json.loads(previews) if isinstance(previews, str) else previews
                files = [*outputs.values(), *(previews or {}).values()]
                keys = {each["key"] for each in files} | ({manifest} if manifest else set())
                stored = self.stored(f"jobs/{job_id}")
                if state in ("failed", "canceled"):  # it keeps what it may need to be tried again
                    inputs = json.loads(inputs) if isinstance(inputs, str) else inputs
                    stored -= {each["key"] for each in inputs}
                if sum(s in ENDED for s in states) != 1 or stored - keys:
                    findings.doubled.append(job_id)
                if state != expectation.state or keys - stored or not self.ended_well(job_id, state, expectation):
                    findings.wrong.append(f"{job_id}: {state} {error}, of {states}")
        return findings

    def stored(self, prefix: str) -> set[str]:
        """Keys of the objects below `prefix`."""
        files = (path for path in (self.objects / prefix).rglob("*") if path.is_file())
        return {str(path.relative_to(self.objects)) for path in files if not path.name.startswith(".part-")}

    def ids(self) -> set[str]:
        """Ids of all jobs."""
        with self.tables() as ask:
            return {job_id for (job_id,) in ask("SELECT id FROM jobs")}

    def live(self, job_ids: Collection[str]) -> int:
        """How many of these jobs have not ended."""
        with self.tables() as ask:
            live = {job_id for (job_id,) in ask("SELECT id FROM jobs WHERE state IN ('queued', 'running')")}
        return len(live & set(job_ids))

    def workflow(self, workflow_id: str) -> tuple[str, int, int, int, int]:
        """A workflow's state, its jobs that go on, failed and were canceled, and how many still wait for another."""
        with self.tables() as ask:
            columns = "state, live, failed, canceled"
            ((state, *counts),) = ask(f"SELECT {columns} FROM workflows WHERE id = ?", workflow_id)
            waits = "SELECT count(*) FROM job_waits w JOIN jobs j ON j.id = w.job_id WHERE j.workflow_id = ?"
            live, failed, canceled = map(int, counts)
            return str(state), live, failed, canceled, int(ask(waits, workflow_id)[0][0])

    def waiting(self) -> int:
        """How many jobs are queued."""
        with self.tables() as ask:
            return int(ask("SELECT count(*) FROM jobs WHERE state = 'queued'")[0][0])

    def ended_well(self, job_id: str, state: str, expectation: Expectation) -> bool:
        """Whether each file of a succeeded job can be downloaded, has the promised hash and, if it is sound, the
        expected length."""
        if state != "succeeded":
            return True
        files = _get(f"{self.url}/v1/jobs/{job_id}").json()["files"]
        for name, file in files.items():
            data = _get(file["url"]).content
            if hashlib.sha256(data).hexdigest() != file["sha256"]:
                return False
            if name != SCORE and len(soundfile.read(io.BytesIO(data))[0]) != expectation.frames:
                return False
        return bool(set(files) - {SCORE})

    @contextlib.contextmanager
    def tables(self) -> Iterator[Any]:
        """A function that asks the database, read-only: `ask(query, *values)` returns rows."""
        if self.database.startswith("sqlite:///"):
            path = self.database.removeprefix("sqlite:///")
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as tables:
                yield lambda query, *values: tables.execute(query, values).fetchall()
        else:
            with psycopg.connect(self.database) as server:
                yield lambda query, *values: server.execute(query.replace("?", "%s"), values).fetchall()


def _get(url: str) -> httpx.Response:
    """Ask again if a killed process held the connection, as clients do."""

    def look() -> httpx.Response | None:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(url, timeout=30)
        return None

    return wait_for("an answer", look, 30)
