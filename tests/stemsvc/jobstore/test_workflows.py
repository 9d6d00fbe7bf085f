"""Workflows: random graphs, whose jobs succeed, fail, are canceled and lose their workers in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stemsvc.jobs.pools import INPUTS
from stemsvc.jobs.record import ENDS, WAITING_FOR_INPUTS, Job, JobState, Lease, new_job_id
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.intake import IdempotencyKey, NewStep
from stemsvc.jobstore.workflows import Standing
from stemsvc.workflows.record import Workflow, WorkflowState
from tests.specs import spec_of
from tests.stemsvc.jobstore.interleavings import run_on
from tests.stemsvc.jobstore.racing import RACERS, ROUNDS, assert_counts_are_right, race_all, racers

POOL = "separate.demo.cpu"
MANY = Bounds(10_000, 10_000)
ENDED = {*ENDS, JobState.EXPIRED}
Graph = Mapping[str, Sequence[str]]  # step -> the steps that it needs


def put(
    store: JobStore, graph: Graph, tolerated: Sequence[str] = (), key: IdempotencyKey | None = None, owner: str = ""
) -> tuple[str, dict[str, str]]:
    """Make a workflow of these steps; its id, and the ids of its jobs."""
    workflow_id, ids = new_job_id(), {step: new_job_id() for step in graph}
    steps = []
    for step, needed in graph.items():
        waits = tuple(ids[other] for other in needed)
        inputs = tuple(Input("", from_job=other, from_output="vocals") for other in waits)
        job = Job(
            ids[step],
            JobState.QUEUED,
            spec_of(stems=("vocals",)),
            POOL,
            inputs or (Input("song.mp3", f"jobs/{ids[step]}/input", 3),),
            workflow_id=workflow_id,
            step=step,
            owner=owner,
            max_attempts=2,
        )
        if waits:
            job = replace(job, pool=INPUTS, next_pool=POOL, stage=WAITING_FOR_INPUTS)
        steps.append(NewStep(job, "accepted", waits_for=waits))
    workflow = Workflow(workflow_id, owner, "song", {"steps": [], "tolerated": list(tolerated)})
    return store.intake.put_workflow(workflow, steps, MANY, key), ids


def job_of(store: JobStore, job_id: str) -> Job:
    job = store.get(job_id)
    assert job is not None
    return job


def workflow_of(store: JobStore, workflow_id: str) -> Workflow:
    workflow = store.workflows.get(workflow_id)
    assert workflow is not None
    return workflow


def made(lease: Lease) -> dict[str, Any]:
    return {"vocals": {"key": f"{lease.prefix}/vocals.flac", "bytes": 5, "content_type": "audio/flac"}}


def do(store: JobStore, job_id: str, code: str | None = None) -> None:
    """Work on a job: it succeeds, or fails with the code."""
    taken = store.leases.take(job_id, "worker", 60)
    assert taken is not None
    if code is None:
        assert store.leases.succeed(taken[1], {}, made(taken[1]))
    else:
        assert store.leases.fail(taken[1], code, "no")


CHAIN = {"first": [], "second": ["first"], "third": ["second"]}


def test_a_step_s_outputs_become_the_next_one_s_inputs(store: JobStore) -> None:
    workflow, ids = put(store, CHAIN)
    second = job_of(store, ids["second"])
    assert (second.state, second.stage, second.pool) == (JobState.QUEUED, WAITING_FOR_INPUTS, INPUTS)
    assert store.outbox.due() == [ids["first"]]
    assert store.leases.take(ids["second"], "worker", 60) is None

    do(store, ids["first"])

    second = job_of(store, ids["second"])
    assert (second.pool, second.next_pool, second.stage) == (POOL, None, "queued")
    assert second.inputs == (
        Input(
            "song - vocals.flac",
            f"jobs/{ids['first']}/attempt-1/vocals.flac",
            5,
            from_job=ids["first"],
            from_output="vocals",
        ),
    )
    assert store.outbox.due() == [ids["second"]]
    do(store, ids["second"])
    assert workflow_of(store, workflow).state is WorkflowState.RUNNING
    do(store, ids["third"])
    ended = workflow_of(store, workflow)
    assert (ended.state, ended.live, ended.jobs) == (WorkflowState.SUCCEEDED, 0, 3)
    assert ended.ended_at is not None


def test_a_failed_step_fails_those_that_need_it_and_no_others(store: JobStore) -> None:
    workflow, ids = put(store, {**CHAIN, "beside": ["first"], "join": ["third", "beside"]})
    do(store, ids["first"])
    do(store, ids["second"], "not_audio")

    states = {step: (job_of(store, each).state, job_of(store, each).error_code) for step, each in ids.items()}
    assert states["third"] == states["join"] == (JobState.FAILED, "upstream_failed")
    assert job_of(store, ids["third"]).error_detail == "step second failed with not_audio"
    assert job_of(store, ids["join"]).error_detail == "step third failed with upstream_failed"
    assert states["beside"] == (JobState.QUEUED, None)
    do(store, ids["beside"])
    assert workflow_of(store, workflow).state is WorkflowState.FAILED


def test_a_tolerated_step_s_failure_does_not_count_and_a_join_goes_on_with_the_others(store: JobStore) -> None:
    graph = {"part[0]": [], "part[1]": [], "after": ["part[0]"], "join": ["part[0]", "part[1]"]}
    workflow, ids = put(store, graph, tolerated=["part"])
    do(store, ids["part[0]"], "not_audio")
    assert job_of(store, ids["after"]).error_code == "upstream_failed"
    do(store, ids["part[1]"])

    assert [each.from_job for each in job_of(store, ids["join"]).inputs] == [ids["part[1]"]]
    do(store, ids["join"])
    assert workflow_of(store, workflow).state is WorkflowState.SUCCEEDED


def test_what_needs_a_canceled_step_is_canceled(store: JobStore) -> None:
    workflow, ids = put(store, CHAIN)
    assert store.cancel(ids["first"], "by the client")
    assert {job_of(store, each).state for each in ids.values()} == {JobState.CANCELED}
    assert workflow_of(store, workflow).state is WorkflowState.CANCELED


def test_an_output_that_a_step_did_not_make_fails_the_next(store: JobStore) -> None:
    _, ids = put(store, CHAIN)
    taken = store.leases.take(ids["first"], "worker", 60)
    assert taken is not None
    store.leases.succeed(taken[1], {}, {"drums": {"key": "k", "content_type": "audio/flac"}})
    assert job_of(store, ids["second"]).error_code == "unknown_output"
    assert job_of(store, ids["third"]).error_code == "upstream_failed"


def test_a_workflow_that_is_sent_again_is_made_once(store: JobStore) -> None:
    key = IdempotencyKey("one", "print")
    first, _ = put(store, CHAIN, key=key)
    second, _ = put(store, CHAIN, key=key)
    assert first == second
    assert len(store.recent()) == 3


def test_a_chain_of_many_steps_ends_at_once(store: JobStore) -> None:
    steps = [f"s{number}" for number in range(300)]
    graph = {step: steps[number - 1 : number] if number else [] for number, step in enumerate(steps)}
    workflow, ids = put(store, graph)
    do(store, ids["s0"], "not_audio")
    assert workflow_of(store, workflow).failed == 300


def test_the_store_sums_up_workflows_as_their_jobs_do(store: JobStore) -> None:
    failed, ids = put(store, {**CHAIN, "beside": []})
    going, others = put(store, CHAIN)
    erased, _ = put(store, {"only": []})
    do(store, ids["beside"], "not_audio")
    do(store, ids["first"], "storage_denied")
    do(store, others["first"])
    for job in store.workflows.jobs(erased):
        do(store, job.id)
        store.delete(job.id)

    found = {each.workflow.id: each for each in store.workflows.standings([failed, going, erased, "none"])}

    assert found.keys() == {failed, going, erased}
    for workflow_id, standing in found.items():
        assert standing == Standing.of(workflow_of(store, workflow_id), store.workflows.jobs(workflow_id))
    failure = found[failed].failure
    assert failure is not None
    assert (failure.step, failure.error_code) == ("beside", "not_audio")  # the first, and not for want of another
    assert found[going].failure is None
    assert 0 < found[going].fraction < 1
    assert (found[failed].fraction, found[erased].fraction) == (1, 1)


def test_what_waits_for_a_job_that_is_gone_is_mended(store: JobStore) -> None:
    _, ids = put(store, CHAIN)
    store.delete(ids["first"])  # by hand: a client's delete cancels it first

    assert store.workflows.mend() == 1
    assert store.workflows.mend() == 0
    assert {job_of(store, ids[step]).error_code for step in ("second", "third")} == {"upstream_failed"}


class Graphs(RuleBasedStateMachine):
    """One workflow of up to eight steps, worked on by workers that die."""

    store: JobStore

    def __init__(self) -> None:
        super().__init__()
        self.graph: dict[str, list[str]] = {}
        self.ids: dict[str, str] = {}
        self.workflow = ""
        self.leases: list[Lease] = []

    @precondition(lambda self: not self.ids)
    @rule(data=st.data(), size=st.integers(1, 8))
    def make(self, data: st.DataObject, size: int) -> None:
        names = [f"s{number}" for number in range(size)]
        for number, name in enumerate(names):
            before = st.lists(st.sampled_from(names[:number]), unique=True, max_size=3) if number else st.just([])
            self.graph[name] = data.draw(before)
        self.workflow, self.ids = put(self.store, self.graph)

    def _due(self) -> list[str]:
        mine = set(self.ids.values())
        return [job_id for job_id in self.store.outbox.due(1000) if job_id in mine]

    @precondition(lambda self: self.ids and self._due())
    @rule(data=st.data(), seconds=st.sampled_from([60.0, -1.0]))
    def take(self, data: st.DataObject, seconds: float) -> None:
        taken = self.store.leases.take(data.draw(st.sampled_from(self._due())), "worker", seconds)
        assert taken is not None
        self.leases.append(taken[1])

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), how=st.sampled_from(["succeed", "succeed", "succeed", "fail", "give back"]))
    def leave(self, data: st.DataObject, how: str) -> None:
        lease = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        if how == "succeed":
            self.store.leases.succeed(lease, {}, made(lease))
        elif how == "fail":
            self.store.leases.fail(lease, "not_audio", "no")
        else:
            self.store.leases.give_back(lease, "storage away", -1.0, counted=False)

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.store.cancel(self.ids[data.draw(st.sampled_from(sorted(self.ids)))], "by the client")

    @rule()
    def reap(self) -> None:
        self.store.leases.reap()

    @rule()
    def mend(self) -> None:
        assert self.store.workflows.mend() == 0

    @invariant()
    def what_waits_has_something_to_wait_for(self) -> None:
        for step, job_id in self.ids.items():
            job = job_of(self.store, job_id)
            before = [job_of(self.store, self.ids[other]) for other in self.graph[step]]
            if job.state is JobState.QUEUED and job.pool == INPUTS:
                assert any(each.state not in ENDED for each in before)
            elif job.state in (JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED):
                assert all(each.state is JobState.SUCCEEDED for each in before)
                for mine, each in zip(job.inputs, before, strict=False):
                    assert not before or mine.key == each.outputs["vocals"]["key"]
            elif job.error_code == "upstream_failed":
                assert any(each.state is JobState.FAILED for each in before)

    @invariant()
    def its_end_is_that_of_its_last_job(self) -> None:
        if not self.ids:
            return
        states = [job_of(self.store, each).state for each in self.ids.values()]
        live = sum(state not in ENDED for state in states)
        workflow = workflow_of(self.store, self.workflow)
        assert workflow.live == live
        if live:
            assert workflow.state is WorkflowState.RUNNING
        elif JobState.FAILED in states:
            assert workflow.state is WorkflowState.FAILED
        else:
            assert (workflow.state is WorkflowState.CANCELED) == (JobState.CANCELED in states)

    @invariant()
    def only_what_can_be_worked_on_is_counted(self) -> None:
        here = [job_of(self.store, each) for each in self.ids.values()]
        queued = sum(job.state is JobState.QUEUED and job.pool == POOL for job in here)
        assert self.store.waiting().get(POOL, {}).get(1, 0) == queued
        assert INPUTS not in self.store.waiting()

    def teardown(self) -> None:
        """Workers that live do what is left: every job ends."""
        for _ in range(20):
            for lease in self.leases:
                self.store.leases.take_back(lease, "its process is gone", counted=False)
            for job_id in self._due():
                do(self.store, job_id)
        assert {job_of(self.store, each).state for each in self.ids.values()} <= ENDED
        for job_id in self.ids.values():
            self.store.delete(job_id)
        if self.ids:
            assert self.store.workflows.delete(self.workflow)


def test_no_interleaving_strands_a_workflow(store: JobStore) -> None:
    run_on(store, Graphs)


def test_steps_that_end_at_once_hand_over_once(url: str) -> None:
    """And a cancel that comes with an end: whichever is first, all of it ends."""
    steps = [f"s{number}" for number in range(RACERS)]
    with racers(url) as stores:
        store = stores[0]
        for _ in range(ROUNDS):
            workflow, ids = put(store, {**dict.fromkeys(steps, ()), "join": steps, "last": ["join"]})
            leases = [taken[1] for step in steps if (taken := store.leases.take(ids[step], "worker", 60))]

            done = race_all([(each, _succeed, lease) for each, lease in zip(stores, leases, strict=True)])

            assert done == [True] * RACERS
            join = job_of(store, ids["join"])
            assert [each.from_job for each in join.inputs] == [ids[step] for step in steps]
            assert (join.pool, join.next_pool) == (POOL, None)
            do(store, ids["join"])
            taken = store.leases.take(ids["last"], "worker", 60)
            assert taken is not None
            race_all([(stores[0], _succeed, taken[1]), (stores[1], JobStore.cancel, ids["last"], "by the client")])
            assert workflow_of(store, workflow).live == 0
            # one end of a step, and cancels of all others
            workflow, ids = put(store, {**dict.fromkeys(steps, ()), "join": steps})
            taken = store.leases.take(ids["s0"], "worker", 60)
            assert taken is not None
            others = [
                (each, JobStore.cancel, ids[step], "no") for each, step in zip(stores[1:], steps[1:], strict=True)
            ]
            race_all([(stores[0], _succeed, taken[1]), *others])
            assert job_of(store, ids["join"]).state is JobState.CANCELED
            assert workflow_of(store, workflow).state is WorkflowState.CANCELED
        assert_counts_are_right(store)


def _succeed(store: JobStore, lease: Lease) -> bool:
    return store.leases.succeed(lease, {}, made(lease))
