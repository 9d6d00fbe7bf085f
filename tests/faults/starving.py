"""Faults of what the service depends on: the storage, the scratch disk, the database."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable

from stemsvc_client import TransientError

from tests.faults.proxy import Mood
from tests.faults.stage import LEASE, LONG, SHORT, Stage, submit_until_accepted
from tests.processes import wait_for

MEETS = 240.0  # seconds for a long job to get so far on a slow machine
OUTAGE = 10.0  # seconds that the database is away: three leases of the stage


def take_the_storage_down(stage: Stage) -> float:
    return _storage(stage, Mood.DOWN)


def have_the_storage_answer_503(stage: Stage) -> float:
    return _storage(stage, Mood.BUSY)


def slow_the_storage_down(stage: Stage) -> float:
    return _storage(stage, Mood.SLOW)


def reset_uploads_in_the_middle(stage: Stage) -> float:
    return _storage(stage, Mood.RESET)


def _storage(stage: Stage, mood: Mood) -> float:
    """Set the proxy's mood while a job is separated, until the mood has hit the job's upload."""
    job_id = stage.send(LONG)
    stage.in_the_middle(job_id)
    harmed = stage.proxy.harmed
    stage.proxy.mood = mood
    stage.fault()
    wait_for("the upload to meet the fault", lambda: stage.proxy.harmed > harmed + (mood is not Mood.SLOW))
    if mood in (Mood.DOWN, Mood.BUSY):  # the api must also refuse a job whose file it can't store
        before = stage.reader.ids()
        try:
            stage.client.submit(stage.songs[1.0], stems="vocals")
        except TransientError as refusal:
            assert refusal.code == "storage_unavailable"  # noqa: PT017
        else:
            raise AssertionError("accepted without a storage")
        assert stage.reader.ids() == before
    stage.proxy.mood = Mood.FINE
    took = stage.end(job_id, stage.expect(submit_until_accepted(stage.client, stage.songs[1.0])))
    assert stage.attempts(job_id) == 1  # uploaded again without being separated again
    return took


def answer_503_in_the_middle_of_a_multipart_upload(stage: Stage) -> float:
    return _multipart(stage, Mood.BUSY_PART)


def stall_in_the_middle_of_a_multipart_upload(stage: Stage) -> float:
    """The stall outlasts the lease, which is renewed meanwhile."""
    return _multipart(stage, Mood.STALL_PART)


def _multipart(stage: Stage, mood: Mood) -> float:
    """Let the first part of a stem through, but not the others for two leases."""
    job_id = stage.expect(
        str(stage.client.submit(stage.songs[LONG], stems="vocals", format="wav", bit_depth="float32")["id"]), LONG
    )
    stage.in_the_middle(job_id)
    harmed = stage.proxy.harmed
    stage.proxy.mood = mood
    stage.fault()
    wait_for("a later part to meet the fault", lambda: stage.proxy.harmed > harmed, MEETS)
    met = time.monotonic()
    wait_for("the fault to outlast the lease", lambda: time.monotonic() - met > 2 * LEASE)
    stage.proxy.mood = Mood.FINE
    took = stage.end(job_id)
    assert stage.attempts(job_id) == 1
    return took


def fill_the_scratch_disk(stage: Stage) -> float:
    job_id = stage.send(LONG, ends="failed")
    stage.in_the_middle(job_id)
    filler = stage.scratch / "filler"
    with filler.open("wb", buffering=0) as file:
        stage.fault()
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            took = stage.end(job_id)
    assert stage.error(job_id) == "scratch_full"
    wait_for("the job's files to go", lambda: [path.name for path in stage.scratch.iterdir()] == ["filler"])
    filler.unlink()
    return took + stage.end(stage.send())


def take_the_database_away_at_commit(stage: Stage) -> float:
    jobs = stage.both_busy()
    wait_for(
        "one to be nearly done", lambda: any(stage.client.job(each)["progress"]["fraction"] > 0.5 for each in jobs)
    )
    bring_back = _postgres_away(stage) if stage.postgres else _sqlite_away(stage)
    stage.fault()
    away = time.monotonic()
    wait_for("the outage to have lasted", lambda: time.monotonic() - away > OUTAGE)
    bring_back()
    took = stage.end(*jobs, stage.expect(submit_until_accepted(stage.client, stage.songs[1.0])))
    for job_id in jobs:
        assert stage.attempts(job_id) <= 2
    return took


def lose_the_answer_to_an_acceptance(stage: Stage) -> float:
    """A job is accepted, but the api never gets the database's answer and can't confirm it. The client asks again."""
    assert stage.answers is not None
    kept, before = stage.answers.kept, stage.reader.ids()
    stage.answers.wanted = b"accepted; "  # the timeline's first entry starts with this
    job_id = stage.expect(submit_until_accepted(stage.client, stage.songs[SHORT]))
    assert stage.answers.kept == kept + 1
    stage.fault()
    took = stage.end(job_id, stage.send())
    assert len(stage.reader.ids() - before) == 2  # the second request made no other job
    return took


def lose_the_answer_to_a_commit(stage: Stage) -> float:
    """The job's end is stored, but its worker never gets the database's answer, and tries again."""
    assert stage.answers is not None
    kept = stage.answers.kept
    stage.answers.wanted = b"stems stored"  # the timeline's last entry has this
    job_id = stage.send()
    wait_for("the answer to be lost", lambda: stage.answers and stage.answers.kept > kept, 60)
    stage.fault()
    took = stage.end(job_id, stage.expect(submit_until_accepted(stage.client, stage.songs[SHORT])))
    assert stage.attempts(job_id) == 1
    return took


def _postgres_away(stage: Stage) -> Callable[[], None]:
    server = stage.postgres
    assert server is not None
    server.kill(signal.SIGQUIT)  # at once, without a message to its clients
    return server.start


def _sqlite_away(stage: Stage) -> Callable[[], None]:
    """Hold the one lock that writers need: SQLite can't be gone, but it can be busy."""
    connection = sqlite3.connect(
        stage.database / "jobs.sqlite", isolation_level=None, timeout=30, check_same_thread=False
    )
    connection.execute("BEGIN IMMEDIATE")

    def bring_back() -> None:
        connection.execute("ROLLBACK")
        connection.close()

    return bring_back
