"""One stage for each broker, all faults on each, and the table at the end."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests import rabbitmq
from tests.faults.stage import BROKERS, Stage, staged

TITLES = ("runs", "faults", "accepted", "lost", "doubled", "wrong", "p50 s", "p95 s")


@dataclass
class Row:
    """What a fault did."""

    runs: int = 0
    faults: int = 0
    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    recovery: list[float] = field(default_factory=list)

    def __iadd__(self, other: Row) -> Row:
        for name in ("runs", "faults", "accepted", "lost", "doubled", "wrong", "recovery"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def line(self, name: str) -> str:
        """The row as a line of the table."""
        ordered = sorted(self.recovery) or [float("nan")]
        p50, p95 = statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        counts = (self.runs, self.faults, self.accepted, self.lost, self.doubled, self.wrong)
        return f"| {name} | " + " | ".join(str(count) for count in counts) + f" | {p50:.1f} | {p95:.1f} |"


ROWS: dict[tuple[str, str], Row] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runs", type=int, default=1, help="how often each fault is injected")
    parser.addoption("--crowd", type=int, default=40, help="how many jobs a crowd is")


@pytest.fixture(scope="session", params=BROKERS)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if request.param == "rabbitmq" and not rabbitmq.installed():
        pytest.skip("RabbitMQ is not installed")
    with staged(tmp_path_factory.mktemp("faults") / request.param, request.param) as running:
        running.crowd = request.config.getoption("--crowd", default=40)
        yield running


@pytest.fixture
def runs(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--runs", default=1))


@pytest.fixture
def row(request: pytest.FixtureRequest, stage: Stage) -> Row:
    return ROWS.setdefault((stage.trouble.name, request.node.callspec.params["fault"]), Row())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not ROWS:
        return
    terminalreporter.section("faults")
    for line in table():
        terminalreporter.line(line)


def table() -> list[str]:
    """All rows, each broker's sum and the sum of all, in Markdown."""
    lines = [f"| fault | {' | '.join(TITLES)} |", f"| --- |{' ---: |' * len(TITLES)}"]
    whole = Row()
    for broker in dict.fromkeys(broker for broker, _ in ROWS):
        total = Row()
        for (where, name), row in ROWS.items():
            if where == broker:
                total += row
                lines.append(row.line(f"{broker}: {name}"))
        whole += total
        lines.append(total.line(f"**{broker}: all**"))
    return [*lines, whole.line("**all**")]
