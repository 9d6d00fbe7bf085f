"""When the jobs of a workflow would begin and end."""

from __future__ import annotations

from stemsvc.workflows.forecast import Load, Times, forecast


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
