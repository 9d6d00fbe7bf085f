"""The funnel of moves: whoever ends a job, its timeline, account, webhook and subscribers are served alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import stemsvc
from stemsvc.errors import TransientError
from stemsvc.jobs.record import JobState, Lease, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.transition import Moved
from tests.schema import fresh_schema
from tests.specs import job_of, spec_of

OPTIONS = spec_of(
    "demo",
    stems=("vocals",),
    webhook_url="http://127.0.0.1:9/",
    webhook_events=("job.failed", "job.canceled", "job.succeeded"),
)


class Heard(list[Moved]):
    """A subscriber that keeps what it hears."""

    def __call__(self, moved: Moved) -> None:
        self.append(moved)

    @property
    def moves(self) -> list[tuple[str | None, str]]:
        return [(moved.old and str(moved.old), str(moved.job.state)) for moved in self]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def store(url: str, heard: Heard) -> Any:
    fresh_schema(url)
    store = JobStore(url, (heard,))
    yield store
    store.close()


def running(store: JobStore, seconds: float = 60.0, **changes: Any) -> Lease:
    job_id = new_job_id()
    job = job_of(
        job_id, JobState.QUEUED, OPTIONS, "separate.demo.cpu", f"jobs/{job_id}/input", "a.mp3", 1, max_attempts=1
    )
    store.intake.put(replace(job, **changes), "accepted")
    taken = store.leases.take(job_id, "worker", seconds)
    assert taken is not None
    return taken[1]


ENDERS: dict[str, Callable[[JobStore, Lease], object]] = {
    "the worker succeeds": lambda store, lease: store.leases.succeed(lease, {}, {"vocals": {"key": "k"}}),
    "the worker fails": lambda store, lease: store.leases.fail(lease, "not_audio", "no"),
    "the client cancels": lambda store, lease: store.cancel(lease.job_id, "by the client"),
    "the parent of a dead child": lambda store, lease: store.leases.take_back(lease, "its process is gone"),
    "the reaper": lambda store, lease: (store.leases.heartbeat(lease, -1, 0, "x"), store.leases.reap()),
}


@pytest.mark.parametrize("ender", ENDERS)
def test_whoever_ends_a_job_everything_that_follows_from_it_happens(store: JobStore, heard: Heard, ender: str) -> None:
    lease = running(store)
    ENDERS[ender](store, lease)

    view = store.view(lease.job_id)
    assert view is not None
    state = str(view.job.state)
    assert view.timeline[-1].to_state == state
    assert heard.moves == [(None, "queued"), ("queued", "running"), ("running", state)]
    assert heard[-1].ended
    assert heard[-1].job == view.job
    assert heard[-1].why == view.timeline[-1].why
    (delivery,) = store.webhooks.recent(job_id=lease.job_id)
    assert delivery.type == f"job.{state}"
    (account,) = store.usage.accounts(0.0)
    assert account.jobs == {state: 1}


def test_a_move_that_is_not_made_is_not_told_of(store: JobStore, heard: Heard) -> None:
    lease = running(store)
    store.cancel(lease.job_id, "by the client")
    before = list(heard)

    assert not store.leases.succeed(lease, {}, {})
    assert not store.cancel(lease.job_id, "again")
    assert list(heard) == before


def test_a_subscriber_that_fails_costs_neither_the_move_nor_the_others(url: str, heard: Heard) -> None:
    def broken(moved: Moved) -> None:
        raise RuntimeError("a fault of ours")

    fresh_schema(url)
    store = JobStore(url, (broken, heard))
    lease = running(store)

    assert store.leases.fail(lease, "not_audio", "no")
    assert heard.moves[-1] == ("running", "failed")
    store.close()


def test_an_end_whose_commit_had_no_answer_is_told_of_once_it_is_seen_to_stand(
    store: JobStore, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = running(store)
    lose_next_answer(store, monkeypatch)
    with pytest.raises(TransientError, match="store_unavailable"):
        store.leases.succeed(lease, {}, {})
    assert heard.moves[-1] == ("queued", "running")

    assert store.leases.is_committed(lease)
    assert store.leases.is_committed(lease)
    assert heard.moves[2:] == [("running", "succeeded")]  # once


def test_an_end_whose_commit_was_not_done_is_never_told_of(
    store: JobStore, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = running(store)
    lose_next_answer(store, monkeypatch, do_it=False)
    with pytest.raises(TransientError, match="store_unavailable"):
        store.leases.succeed(lease, {}, {})

    assert store.leases.fail(lease, "not_audio", "no")
    assert heard.moves[2:] == [("running", "failed")]


def lose_next_answer(store: JobStore, monkeypatch: pytest.MonkeyPatch, *, do_it: bool = True) -> None:
    """Have the next commit be done, or not, and the connection end before its answer."""
    dialect = store._engine.dialect
    real = dialect.do_commit

    def lost(connection: Any) -> None:
        monkeypatch.setattr(dialect, "do_commit", real)
        if do_it:
            real(connection)
        else:
            dialect.do_rollback(connection)
        raise dialect.dbapi.OperationalError("the connection ended")  # type: ignore[union-attr]

    monkeypatch.setattr(dialect, "do_commit", lost)


def test_nobody_else_writes_the_state_of_a_job() -> None:
    writes = re.compile(r"jobs\.update\(\)(?:[^\n]*\n){0,6}?[^\n]*\bstate=")
    folder = Path(stemsvc.__file__).parent
    found = [path.name for path in folder.rglob("*.py") if writes.search(path.read_text())]
    assert found == ["transition.py"]
