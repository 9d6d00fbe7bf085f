"""The simulation does what it says: every job is done once, in the order that the store decides."""

from __future__ import annotations

from collections import Counter

from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Priority
from stemsvc.models.catalog import load_catalog
from workers.bench.queue import _jain
from workers.bench.simulation import Arrival, Simulation, fresh_store

POOL = Pool(name="cpu", models=("demo",), device="cpu")


def arrival(owner: str, at: float = 0.0, priority: Priority = Priority.NORMAL) -> Arrival:
    return Arrival(at, owner, "demo", "auto", priority, 240.0)


def test_every_job_is_done_once_and_waits_as_its_priority_says() -> None:
    arrivals = [arrival(f"key-{number % 3}", number * 0.01, Priority(number % 3)) for number in range(60)]
    with fresh_store() as store:
        outcome = Simulation(store, [(POOL, 4, 1.0)], load_catalog()).run(arrivals)
        assert Counter(job.state for job in store.recent(100)) == {"succeeded": 60}
        assert store.waiting() == {"cpu": {0: 0, 1: 0, 2: 0}}

    assert len(outcome.began) == 60
    high, normal, low = (sum(outcome.waits[int(priority)]) for priority in Priority)
    assert high < normal < low
    assert outcome.cpu_seconds > 0


def test_a_late_key_s_first_job_waits_for_no_more_than_one_job_of_each_worker() -> None:
    arrivals = [*(arrival("many") for _ in range(50)), arrival("late", 1.0)]
    with fresh_store() as store:
        began = Simulation(store, [(POOL, 4, 1.0)], load_catalog()).run(arrivals).began

    before = [owner for at, owner in began if at >= 1.0]
    assert before.index("late") <= 4


def test_the_index_is_one_where_all_are_served_alike() -> None:
    assert _jain([3.0, 3.0, 3.0]) == 1
    assert _jain([9.0, 0.0, 0.0]) < 0.34
