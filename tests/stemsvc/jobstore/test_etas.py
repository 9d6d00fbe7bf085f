"""When workflows will have ended, by what their jobs have measured."""

from __future__ import annotations

import pytest

from stemsvc.jobs.record import Lease
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.leases import Origin
from stemsvc.jobstore.tables import db_now, jobs
from stemsvc.jobstore.workers import Worker
from tests.stemsvc.jobstore.test_workflows import CHAIN, POOL, Graph, do, made, put

COST = 60.0


def started(store: JobStore, graph: Graph, workers: int = 1, owner: str = "") -> tuple[str, dict[str, str]]:
    """A workflow whose jobs are predicted to cost a minute each, and the workers of its pool."""
    store.workers.beat(Worker("pool", (POOL,), "cpu", "", workers, kinds=("separate",)), 600)
    workflow, ids = put(store, graph, owner=owner)
    with store._engine.begin() as connection:
        connection.execute(jobs.update().where(jobs.c.workflow_id == workflow).values(cost=COST))
    return workflow, ids


def eta(store: JobStore, workflow: str) -> float | None:
    (standing,) = store.workflows.standings([workflow])
    assert standing.eta_seconds == pytest.approx(store.workflows.etas([workflow]).get(workflow), abs=1)
    return standing.eta_seconds


def taken(store: JobStore, job_id: str) -> Lease:
    found = store.leases.take(job_id, "worker", 60)
    assert found is not None
    return found[1]


def computes(store: JobStore, lease: Lease, took: float, left: float) -> None:
    """The job has worked for so many seconds, and says how many it still needs."""
    store.leases.heartbeat(lease, 60, took / (took + left), "separating", left)
    with store._engine.begin() as connection:
        connection.execute(jobs.update().where(jobs.c.id == lease.job_id).values(started_at=db_now() - took))


def ended(store: JobStore, lease: Lease, seconds: float, cached: bool = False) -> None:
    """The job succeeds, after so many seconds."""
    with store._engine.begin() as connection:
        began = jobs.update().where(jobs.c.id == lease.job_id)
        connection.execute(began.values(started_at=db_now() - seconds))
    assert store.leases.succeed(lease, {}, made(lease), Origin(cached=cached))


def test_it_is_unknown_until_progress_is_measured_and_falls_as_steps_end(store: JobStore) -> None:
    workflow, ids = started(store, CHAIN)
    assert eta(store, workflow) is None
    lease = taken(store, ids["first"])
    assert eta(store, workflow) is None
    store.leases.heartbeat(lease, 60, 0.5, "fetching")  # a share of a download predicts nothing
    assert eta(store, workflow) is None

    seen = []
    for took, left in ((15, 45), (45, 15)):  # a second of predicted cost takes a second
        computes(store, lease, took, left)
        seen.append(eta(store, workflow))
    ended(store, lease, COST)
    seen.append(eta(store, workflow))
    second = taken(store, ids["second"])
    seen.append(eta(store, workflow))
    ended(store, second, COST)
    seen.append(eta(store, workflow))
    assert seen == [pytest.approx(each, abs=12) for each in (165, 135, 120, 120, 60)]
    ended(store, taken(store, ids["third"]), COST)
    assert eta(store, workflow) is None


def test_a_pool_s_pace_corrects_what_was_predicted(store: JobStore) -> None:
    workflow, ids = started(store, CHAIN)
    lease = taken(store, ids["first"])
    computes(store, lease, 100, 80)  # three times as slow as it was predicted
    assert eta(store, workflow) == pytest.approx(80 + 2 * 180, abs=15)
    ended(store, lease, 240)
    assert eta(store, workflow) == pytest.approx(2 * 240, abs=15)


def test_steps_side_by_side_share_the_workers(store: JobStore) -> None:
    graph = {"split": [], **{f"part{number}": ["split"] for number in range(6)}}
    workflow, ids = started(store, graph, workers=2)
    ended(store, taken(store, ids["split"]), COST)
    assert eta(store, workflow) == pytest.approx(6 * COST / 2, abs=5)
    long = taken(store, ids["part0"])
    computes(store, long, 100, 900)
    assert eta(store, workflow) == pytest.approx(900, abs=5)  # never less than the longest of its own


def test_what_comes_from_the_cache_costs_nothing_and_measures_nothing(store: JobStore) -> None:
    workflow, ids = started(store, {**CHAIN, "beside": []})
    ended(store, taken(store, ids["first"]), 0.1, cached=True)
    assert eta(store, workflow) is None
    ended(store, taken(store, ids["second"]), 0.1, cached=True)
    ended(store, taken(store, ids["beside"]), 2 * COST)
    assert eta(store, workflow) == pytest.approx(2 * COST, abs=5)  # the third alone
    ended(store, taken(store, ids["third"]), 0.1, cached=True)
    assert eta(store, workflow) is None


def test_what_fails_and_what_is_canceled_is_not_waited_for(store: JobStore) -> None:
    workflow, ids = started(store, {**CHAIN, "beside": [], "late": ["beside"]})
    ended(store, taken(store, ids["beside"]), COST)
    do(store, ids["first"], "not_audio")
    assert eta(store, workflow) == pytest.approx(COST, abs=5)  # the late one
    store.cancel(ids["late"], "by the client")
    assert eta(store, workflow) is None


def test_only_those_that_go_on_and_are_measured_have_one(store: JobStore) -> None:
    over, _ = started(store, {"only": []})
    (only,) = store.workflows.jobs(over)
    ended(store, taken(store, only.id), COST)
    going, ids = started(store, CHAIN)
    ended(store, taken(store, ids["first"]), COST)
    new, _ = started(store, CHAIN)
    assert list(store.workflows.etas([over, going, new, "none"])) == [going]
    assert store.workflows.etas([]) == {}
