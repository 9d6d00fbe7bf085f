"""One stage for all faults, and the table at the end."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.faults.stage import Stage, staged


@dataclass
class Row:
    """What a fault did."""

    runs: int = 0
    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    recovery: list[float] = field(default_factory=list)


ROWS: dict[str, Row] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runs", type=int, default=1, help="how often each fault is injected")


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("faults") / "stage") as running:
        yield running


@pytest.fixture
def runs(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--runs", default=1))


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    return ROWS.setdefault(request.node.callspec.params["fault"], Row())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not ROWS:
        return
    titles = ("runs", "accepted", "lost", "doubled", "wrong", "p50 s", "p95 s")
    terminalreporter.section("faults")
    terminalreporter.line(f"{'fault':58}" + "".join(f"{title:>10}" for title in titles))
    for name, row in ROWS.items():
        ordered = sorted(row.recovery) or [float("nan")]
        p50, p95 = statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        counts = (row.runs, row.accepted, row.lost, row.doubled, row.wrong)
        terminalreporter.line(f"{name:58}" + "".join(f"{count:>10}" for count in counts) + f"{p50:>10.1f}{p95:>10.1f}")
