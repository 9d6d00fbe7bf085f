"""Parts that do not answer, or answer late."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from stemsvc.control.asking import Asking, Readiness
from stemsvc.errors import StorageDenied
from tests.processes import wait_for


class Stuck:
    """A call that returns when it is let go, as one does that waits for a lock or for a server that has stopped."""

    def __init__(self) -> None:
        self.go, self.calls = threading.Event(), 0

    def __call__(self) -> None:
        self.calls += 1
        assert self.go.wait(60)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    call = Stuck()
    yield call
    call.go.set()
    wait_for("its thread to end", lambda: not threads())


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "asking"]


def nothing() -> None:
    pass


def test_who_asks_while_a_call_is_stuck_begins_no_other(stuck: Stuck) -> None:
    asking = Asking(stuck)
    for _ in range(50):
        with pytest.raises(TimeoutError):
            asking.begin().result(0.001)
    assert (stuck.calls, len(threads())) == (1, 1)

    waiting = asking.begin()
    stuck.go.set()
    assert waiting.result(10) is None
    asking.begin().result(10)
    assert stuck.calls == 2


def test_what_the_call_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("none")

    for _ in range(2):
        with pytest.raises(ValueError, match="none"):
            Asking(fail).begin().result(10)


def test_all_parts_together_have_the_time(stuck: Stuck) -> None:
    readiness = Readiness(stuck, stuck, stuck)
    start = time.monotonic()

    assert readiness.parts(0.2) == {
        "store": "store_unavailable",
        "storage": "storage_unavailable",
        "broker": "broker_unavailable",
    }
    assert time.monotonic() - start < 2
    stuck.go.set()
    assert set(readiness.parts(10).values()) == {"ok"}


def test_a_part_that_fails_says_how() -> None:
    def denied() -> None:
        raise StorageDenied("bad credentials")

    def broken() -> None:
        raise ZeroDivisionError

    assert Readiness(nothing, denied, broken).parts(10) == {
        "store": "ok",
        "storage": "storage_denied",
        "broker": "internal_error",
    }
