"""One stage for each broker, all faults on each stage, and a table of the results at the end."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import rabbitmq
from tests.faults import random_faults
from tests.faults.stage import BROKERS, DISKS, Stage, staged

TITLES = ("runs", "faults", "accepted", "lost", "doubled", "wrong", "p50 s", "p95 s")


@dataclass
class Row:
    """The results of one fault, over all its runs."""

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
RANDOM: list[random_faults.Tally] = []  # of the random killer's short form


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "stages(*names): the only stages that a fault is for")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--runs", type=int, help="runs of every fault on each broker; without it, the quick faults run once"
    )
    parser.addoption("--crowd", type=int, default=40, help="jobs of a fault that needs many")
    parser.addoption("--report", type=Path, help="file for the table")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out faults that a stage is not made for.

    Without `--runs`, as in `make test`, run only the quick faults on the embedded broker.
    """
    everything = config.getoption("--runs", default=None) is not None
    out = [item for item in items if _has_stage(item) and not (_is_at_home(item) and (everything or _is_quick(item)))]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def _has_stage(item: pytest.Item) -> bool:
    return "stage" in getattr(item, "fixturenames", ())


def _is_at_home(item: pytest.Item) -> bool:
    """Whether the fault belongs on the stage: those that fill disks need small ones, and the others go without."""
    params = item.callspec.params  # type: ignore[attr-defined]
    wanted = item.get_closest_marker("stages")
    return params["stage"] in (wanted.args if wanted else (*BROKERS, "embedded"))


def _is_quick(item: pytest.Item) -> bool:
    params = item.callspec.params  # type: ignore[attr-defined]
    return params["stage"] == BROKERS[0] and not item.get_closest_marker("long")


@pytest.fixture(scope="session", params=(*BROKERS, DISKS))
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if request.param == "rabbitmq":
        rabbitmq.need()
    with staged(tmp_path_factory.mktemp("faults") / request.param, request.param) as running:
        running.crowd = request.config.getoption("--crowd", default=40)
        yield running


@pytest.fixture
def runs(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--runs", default=None) or 1)


@pytest.fixture
def row(request: pytest.FixtureRequest, stage: Stage) -> Row:
    return ROWS.setdefault((stage.name, request.node.callspec.params["fault"]), Row())


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Write the report after each fault, so that an hour's run that is cut short still has results."""
    report = item.config.getoption("--report", default=None)
    if ROWS and report:
        report.write_text("\n".join(table()) + "\n")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tables = [table()] if ROWS else []
    tables += [random_faults.table(RANDOM)] if RANDOM else []
    for lines in tables:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.line(line)


def table() -> list[str]:
    """All rows, each broker's sum and the sum of all, in Markdown."""
    lines = [f"| fault | {' | '.join(TITLES)} |", f"| --- |{' ---: |' * len(TITLES)}"]
    whole = Row()
    for broker in dict.fromkeys(broker for broker, _ in ROWS):
        total = Row()
        for (where, name), row in ROWS.items():
            if where == broker and row.runs:
                total += row
                lines.append(row.line(f"{broker}: {name}"))
        whole += total
        lines.append(total.line(f"**{broker}: all**"))
    return [*lines, whole.line("**all**")]
