"""When the jobs of a workflow would begin and end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemsvc.workflows.forecast import Load, Times, forecast, least_seconds

POOLS = ("cpu", "gpu")
SLOTS = st.fixed_dictionaries({pool: st.integers(0, 4) for pool in POOLS})


@st.composite
def graphs(draw: st.DrawFn) -> list[Load]:
    """Up to eight jobs; each may need some of those before it."""
    loads: list[Load] = []
    for number in range(draw(st.integers(1, 8))):
        needs = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        loads.append(Load(draw(st.sampled_from(POOLS)), draw(st.floats(0, 1000)), tuple(sorted(needs))))
    return loads


def test_a_job_begins_when_its_inputs_and_a_slot_are_there() -> None:
    jobs = [Load("gpu", 10), Load("cpu", 4, (0,)), Load("cpu", 6, (0,)), Load("gpu", 1, (1, 2, 2))]
    assert forecast(jobs, {"gpu": 1, "cpu": 1}, {"gpu": 5.0}) == [
        Times(0, 5, 15),
        Times(15, 15, 19),
        Times(15, 19, 25),
        Times(25, 25, 26),
    ]


def test_more_slots_work_at_a_time_and_none_is_as_one() -> None:
    jobs = [Load("cpu", 10) for _ in range(4)]
    assert [each.ends for each in forecast(jobs, {"cpu": 2}, {})] == [10, 10, 20, 20]
    assert [each.ends for each in forecast(jobs, {}, {})] == [10, 20, 30, 40]
    assert forecast([], {}, {}) == []


def test_the_least_time_is_that_of_the_longest_path_or_of_the_pool_with_most_to_do() -> None:
    jobs = [Load("gpu", 10), Load("cpu", 4, (0,)), Load("cpu", 6, (0,)), Load("gpu", 1, (1, 2, 2))]
    assert least_seconds(jobs, {"gpu": 1, "cpu": 2}) == 10 + 6 + 1
    wide = [Load("cpu", 5) for _ in range(12)]
    assert [least_seconds(wide, {"cpu": slots}) for slots in (0, 1, 3, 100)] == [60, 60, 20, 5]
    assert least_seconds([], {}) == 0


@given(graphs(), SLOTS, st.data())
def test_the_least_time_never_grows_as_jobs_end(jobs: list[Load], slots: dict[str, int], data: st.DataObject) -> None:
    left = least_seconds(jobs, slots)
    assert left >= max(job.seconds for job in jobs)
    assert left <= max(each.ends for each in forecast(jobs, slots, {})) * (1 + 1e-9)
    while any(job.seconds for job in jobs):
        # a job whose needs have ended comes on, or ends: then it takes no more time
        ready = [i for i, job in enumerate(jobs) if job.seconds and not any(jobs[each].seconds for each in job.needs)]
        number = data.draw(st.sampled_from(ready))
        share = data.draw(st.sampled_from([0.0, 0.0, 0.5]))
        jobs[number] = replace(jobs[number], seconds=jobs[number].seconds * share if jobs[number].seconds > 1 else 0.0)
        before, left = left, least_seconds(jobs, slots)
        assert left <= before or left == pytest.approx(before)
    assert left == 0
