"""How long the rest of a job takes: by its segments, and nothing else."""

from __future__ import annotations

from workers.attempt.pace import Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_there_is_no_pace_before_the_first_segment_and_after_the_last() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.left() is None
    pace.begin()
    pace.note(0, 4)
    clock.now += 7
    assert pace.left() is None
    pace.note(4, 4)
    assert pace.left() is None


def test_only_the_time_of_segments_counts() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now += 500  # the track is fetched and decoded, the network is loaded
    pace.begin()
    clock.now += 2
    pace.note(1, 5)
    assert pace.left() == 8
    clock.now += 1
    assert pace.left() == 7
    clock.now += 3
    pace.note(2, 5)  # the segments took 3 s each
    assert pace.left() == 9


def test_a_slow_segment_is_expected_at_any_moment() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.begin()
    clock.now += 2
    pace.note(1, 3)
    clock.now += 60
    pace.note(1, 3)
    assert pace.left() == 2  # for the one behind it
