"""Random interleavings of workers, a canceler, a reaper, dispatchers that crash and a broker that forgets.

Whatever order they come in: every move is legal and in the timeline, one attempt at most commits, and once everybody
does their work again every job reaches an end.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from stemsvc.jobs.record import MOVES, Job, JobState, Lease, new_job_id
from stemsvc.jobstore import JobStore
from tests.specs import job_of, spec_of
from tests.stemsvc.jobstore.interleavings import run_on

POOL = "separate.demo.cpu"
ENDED = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.EXPIRED}


class Interleavings(RuleBasedStateMachine):
    store: JobStore

    accepted = Bundle("accepted")
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.messages: Counter[str] = Counter()  # what the broker holds
        self.commits: Counter[str] = Counter()
        self.winner: dict[str, int] = {}
        self.ends: dict[str, JobState] = {}

    # --- clients

    @rule(target=accepted, attempts=st.integers(1, 3))
    def accept(self, attempts: int) -> str:
        job_id = new_job_id()
        options = spec_of("demo", stems=("vocals",))
        job = job_of(job_id, JobState.QUEUED, options, POOL, f"jobs/{job_id}/input", "a.mp3", 1, max_attempts=attempts)
        self.store.intake.put(job, "accepted")
        self.ids.append(job_id)
        return job_id

    @rule(job_id=accepted)
    def cancel(self, job_id: str) -> None:
        before = self.job(job_id).state
        assert self.store.cancel(job_id, "by the client") == (before not in ENDED)

    # --- the dispatcher, which may crash between its steps, and the broker

    @rule(limit=st.integers(1, 5), crash=st.sampled_from(["no", "before sending", "after sending", "broker away"]))
    def publish(self, limit: int, crash: str) -> None:
        due = self.store.outbox.due(limit=1000)
        claimed = [claim.job_id for claim in self.store.outbox.claim(limit)]
        assert claimed == due[:limit]
        beside = self.store.outbox.due(limit=1000)  # what another dispatcher would find now
        assert not set(claimed) & set(beside)
        if crash in ("no", "after sending"):
            self.messages.update(claimed)
        elif crash == "broker away":
            self.store.outbox.unclaim(claimed)

    @rule()
    def wipe(self) -> None:
        self.messages.clear()

    @rule(job_id=accepted)
    def deliver_twice(self, job_id: str) -> None:
        self.messages[job_id] += 1

    @rule()
    def sweep(self) -> None:
        for job in self.store.leases.reap():
            assert job.id in self.ids
        waiting = self.store.outbox.waiting(-1).get((POOL, 1), 0)
        if self.messages.total() < waiting:
            assert self.store.outbox.forget(POOL, 1, -1) >= waiting

    @rule(lease=leases, counted=st.booleans())
    def take_back(self, lease: Lease, counted: bool) -> None:
        holds = self.holds(lease)
        taken = self.store.leases.take_back(lease, "its process is gone", counted=counted)
        assert (taken is not None) == holds
        if taken and not counted:
            assert taken.state is JobState.QUEUED

    # --- workers, whose lease may run out at once

    @rule(target=leases, job_id=accepted, worker=st.sampled_from(["one", "two"]), seconds=st.sampled_from([60.0, -1.0]))
    def take(self, job_id: str, worker: str, seconds: float) -> Any:
        if self.messages[job_id] == 0:
            return multiple()
        self.messages[job_id] -= 1
        before = self.job(job_id)
        taken = self.store.leases.take(job_id, worker, seconds)
        assert (taken is not None) == (before.state is JobState.QUEUED)
        if taken is None:
            return multiple()
        assert taken[1].attempt == before.attempt + 1
        return taken[1]

    @rule(lease=leases)
    def heartbeat(self, lease: Lease) -> None:
        assert self.store.leases.heartbeat(lease, 60, 0.5, "separating") == self.holds(lease)

    @rule(lease=consumes(leases))
    def succeed(self, lease: Lease) -> None:
        holds = self.holds(lease)
        done = self.store.leases.succeed(lease, {}, {"vocals": {"key": f"{lease.prefix}/vocals.flac"}})
        assert done == holds
        if done:
            self.commits[lease.job_id] += 1
            self.winner[lease.job_id] = lease.attempt

    @rule(lease=consumes(leases))
    def fail(self, lease: Lease) -> None:
        holds = self.holds(lease)
        assert self.store.leases.fail(lease, "not_audio", "no") == holds

    @rule(lease=consumes(leases))
    def give_back_after_an_error(self, lease: Lease) -> None:
        if lease.attempt >= self.job(lease.job_id).max_attempts:
            self.fail(lease)
            return
        holds = self.holds(lease)
        assert self.store.leases.give_back(lease, "storage away", -1.0) == holds

    @rule(lease=consumes(leases))
    def give_back_at_shutdown(self, lease: Lease) -> None:
        holds = self.holds(lease)
        assert self.store.leases.give_back(lease, "shutting down", -1.0, counted=False) == holds

    # --- what always holds

    @invariant()
    def every_move_is_legal_and_written_down(self) -> None:
        for job_id in self.ids:
            view = self.store.view(job_id)
            assert view is not None
            moves = [(event.from_state, event.to_state) for event in view.timeline]
            assert moves[0] == (None, "queued")
            for (_, left), (entered, state) in itertools.pairwise(moves):
                assert left == entered
                assert JobState(state) in MOVES[JobState(str(entered))]
            assert moves[-1][1] == view.job.state
            assert [event.at for event in view.timeline] == sorted(event.at for event in view.timeline)
            assert Counter(state for _, state in moves)["running"] == view.job.attempt <= view.job.max_attempts
            if view.job.state in ENDED:
                assert self.ends.setdefault(job_id, view.job.state) == view.job.state

    @invariant()
    def one_attempt_at_most_commits(self) -> None:
        for job_id in self.ids:
            job = self.job(job_id)
            assert self.commits[job_id] == (job.state is JobState.SUCCEEDED)
            keys = [output["key"] for output in job.outputs.values()]
            won = self.winner.get(job_id)
            assert keys == ([] if won is None else [f"jobs/{job_id}/attempt-{won}/vocals.flac"])

    @invariant()
    def the_lines_are_counted_right(self) -> None:
        queued = sum(self.job(job_id).state is JobState.QUEUED for job_id in self.ids)
        assert self.store.waiting().get(POOL, {}).get(1, 0) == queued

    # --- and in the end

    def teardown(self) -> None:
        """Everybody does their work again: within as many rounds as there are attempts, every job ends."""
        for _ in range(5):
            for job_id in self.ids:
                if self.job(job_id).state is JobState.RUNNING:  # its worker is gone for good
                    job = self.job(job_id)
                    self.store.leases.heartbeat(Lease(job_id, job.attempt, "gone"), -1, 0.0, "gone")
            self.messages.clear()
            self.sweep()
            self.publish(1000, "no")
            for job_id in list(self.messages):
                taken = self.store.leases.take(job_id, "last", 60)
                if taken is not None:
                    self.store.leases.succeed(taken[1], {}, {})
        assert {self.job(job_id).state for job_id in self.ids} <= ENDED
        for job_id in self.ids:
            self.store.delete(job_id)

    def job(self, job_id: str) -> Job:
        job = self.store.get(job_id)
        assert job is not None
        return job

    def holds(self, lease: Lease) -> bool:
        job = self.job(lease.job_id)
        return job.state is JobState.RUNNING and job.attempt == lease.attempt


def test_no_interleaving_loses_doubles_or_strands_a_job(store: JobStore) -> None:
    run_on(store, Interleavings)
