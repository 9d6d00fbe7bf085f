"""Faults of full disks, each folder in turn. They need the stage whose folders are small disks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from stemsvc_client import TransientError

from tests.faults.killer import pool_processes
from tests.faults.stage import LONG, Stage, submit_until_accepted
from tests.faults.starving import MEETS
from tests.processes import wait_for


def fill_the_disk_of_objects(stage: Stage) -> float:
    """The job waits with its stems until there is room again, and is not separated twice."""
    job_id = stage.send(LONG)
    stage.in_the_middle(job_id)
    said = _said(stage, "storage_full")
    with full(stage.objects):
        stage.fault()
        wait_for("a worker to meet the full disk", lambda: _said(stage, "storage_full") > said, MEETS)
        _refused(stage, "storage_full")
    took = stage.end(job_id, stage.expect(submit_until_accepted(stage.client, stage.songs[1.0])))
    assert stage.attempts(job_id) == 1
    return took


def fill_the_disk_of_the_database(stage: Stage) -> float:
    """Nothing is accepted, running jobs go on, and what could not be written is written later."""
    jobs = stage.both_busy()
    with full(stage.database):
        stage.fault()
        # SQLite may find out at the commit only; then the api can't tell whether it was done
        _refused(stage, "store_unavailable", "acceptance_unknown")
    took = stage.end(*jobs, stage.expect(submit_until_accepted(stage.client, stage.songs[1.0])))
    for job_id in jobs:
        assert stage.attempts(job_id) <= 2
    return took


def fill_the_disk_of_metrics(stage: Stage) -> float:
    """What can't be measured costs no job and no process."""
    before = _pool_processes(stage)
    with full(stage.folder / "data" / "metrics"):
        stage.fault()
        # the second one fails: its count is a figure that no process has yet
        took = stage.end(stage.send(), _broken(stage), stage.send())
        assert _pool_processes(stage) == before
    return took + stage.end(stage.send())


@contextlib.contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill the folder's disk to the last byte while the context lasts."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):  # large pieces first, then what they left
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
        yield
    finally:
        filler.unlink()


def _refused(stage: Stage, *codes: str) -> None:
    """A job must be refused with one of these codes, and leave no row."""
    before = stage.reader.ids()
    try:
        stage.client.submit(stage.songs[1.0], stems="vocals")
    except TransientError as refusal:
        assert refusal.code in codes  # noqa: PT017
    else:
        raise AssertionError("accepted on a full disk")
    assert stage.reader.ids() == before


def _broken(stage: Stage) -> str:
    path = stage.folder / "broken.mp3"
    path.write_bytes(b"this is no music\n" * 1000)
    return stage.expect(str(stage.client.submit(path, stems="vocals")["id"]), ends="failed")


def _said(stage: Stage, word: str) -> int:
    return sum(worker.container.logs().count(word) for worker in stage.workers)


def _pool_processes(stage: Stage) -> set[int]:
    return {pid for worker in stage.workers for pid in pool_processes(worker.container.pid)}
