"""The short form of `make faults-random` on each stack, and what makes a run repeatable."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

from tests import rabbitmq
from tests.faults import auditor, conftest, reader, world
from tests.faults.plan import Deed, Step, steps
from tests.faults.random_faults import attack
from tests.faults.stage import BROKERS

DEEDS = {"api": tuple(Deed), "worker-0": tuple(Deed), "tables": (Deed.STOP,)}


def first(count: int, seed: int) -> list[Step]:
    return list(itertools.islice(steps(seed, DEEDS, lease=3.0), count))


def test_a_seed_replays_the_same_faults_targets_and_pauses() -> None:
    assert first(50, seed=7) == first(50, seed=7)
    assert first(50, seed=7) != first(50, seed=8)


def test_each_round_hits_every_target_and_four_rounds_do_every_deed_to_it() -> None:
    drawn = first(4 * len(DEEDS), seed=3)

    for start in range(0, len(drawn), len(DEEDS)):
        assert {step.target for step in drawn[start : start + len(DEEDS)]} == set(DEEDS)
    assert {(step.target, step.deed) for step in drawn} == {
        (name, deed) for name, all_ in DEEDS.items() for deed in all_
    }


def test_what_is_frozen_stays_so_past_its_lease() -> None:
    frozen = [step.hold for step in first(200, seed=1) if step.deed is Deed.STOP]

    assert frozen
    assert min(frozen) > 3.0


@pytest.mark.parametrize("module", [reader, auditor, world])
def test_who_judges_shares_no_code_with_the_service(module: object) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text())  # type: ignore[attr-defined]
    names = {each.module or "" for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    names |= {alias.name for each in ast.walk(tree) if isinstance(each, ast.Import) for alias in each.names}

    assert [name for name in names if name.split(".")[0] in ("stemsvc", "api", "workers")] == []


@pytest.mark.long
@pytest.mark.parametrize("stack", BROKERS)
def test_a_minute_of_random_faults_loses_nothing(stack: str, tmp_path: Path) -> None:
    if stack == "rabbitmq":
        rabbitmq.need()

    tally = attack(tmp_path / stack, stack, seconds=60, seed=20261125, say=print)

    conftest.RANDOM.append(tally)
    assert tally.faults >= 5
    assert tally.accepted >= 10
    assert tally.account.all() == []
