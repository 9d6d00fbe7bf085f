"""What became of the accepted jobs, read from the tables, the storage's folder and the downloaded bytes.

On purpose none of the product's code reads here: a fault in it must not hide itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import soundfile

ENDED = ("succeeded", "failed", "canceled")


@dataclass
class Findings:
    """Ids of jobs by what is wrong with them."""

    lost: list[str] = field(default_factory=list)  # no row, or no end
    doubled: list[str] = field(default_factory=list)  # more than one commit, or files of more than one
    wrong: list[str] = field(default_factory=list)  # another end than it should have, or stems that are none


def read(data: Path, url: str, expected: dict[str, str], frames: int) -> Findings:
    """Look at every job of `expected` (id -> end state); stems must have `frames` samples."""
    findings = Findings()
    with sqlite3.connect(f"file:{data / 'jobs.sqlite'}?mode=ro", uri=True) as tables:
        for job_id, state in expected.items():
            row = tables.execute("SELECT state, outputs FROM jobs WHERE id = ?", (job_id,)).fetchone()
            if row is None or row[0] not in ENDED:
                findings.lost.append(job_id)
                continue
            states = [s for (s,) in tables.execute("SELECT to_state FROM job_events WHERE job_id = ?", (job_id,))]
            keys = {output["key"] for output in json.loads(row[1]).values()}
            folder = data / "objects" / "jobs" / job_id
            stored = {str(path.relative_to(data / "objects")) for path in folder.rglob("*") if path.is_file()}
            if sum(s in ENDED for s in states) != 1 or stored - keys:
                findings.doubled.append(job_id)
            if row[0] != state or keys - stored or (state == "succeeded" and not _plays(url, job_id, frames)):
                findings.wrong.append(job_id)
    return findings


def _plays(url: str, job_id: str, frames: int) -> bool:
    """Whether every stem can be downloaded, has the bytes that were promised, and is sound of that length."""
    stems = httpx.get(f"{url}/v1/jobs/{job_id}").json()["stems"]
    for stem in stems.values():
        data = httpx.get(stem["url"]).content
        if hashlib.sha256(data).hexdigest() != stem["sha256"]:
            return False
        if len(soundfile.read(io.BytesIO(data))[0]) != frames:
            return False
    return bool(stems)
