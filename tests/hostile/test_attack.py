"""The short form of `make fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.attack import attack


@pytest.mark.long
def test_nothing_dies_nothing_leaks_and_everything_ends(tmp_path: Path) -> None:
    tally = attack(tmp_path, count=130, files=24)

    print("\n".join(tally.lines()))
    assert not tally.broken, "\n".join(tally.lines())
    assert tally.tried.total() >= 1000
