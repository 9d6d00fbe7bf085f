"""A table of figures and the bars that they must meet."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from stemsvc.host.processor import instruction_set

Say = Callable[[str], None]


@dataclass(frozen=True)
class Figure:
    """A row. `value` must be at most `bar`, or at least `bar` if `floor`. Without a bar it is only reported."""

    name: str
    detail: str
    value: float
    unit: str = ""
    bar: float | None = None
    aim: float | None = None
    floor: bool = False
    beside: Mapping[str, float] = field(default_factory=dict)  # what others have, in columns of their own

    @property
    def met(self) -> bool:
        """Whether the value meets the bar; NaN meets none."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.floor else self.value <= self.bar

    def row(self, others: Sequence[str] = ()) -> str:
        """The row in Markdown, with a column for each of `others`."""
        sign = "≥" if self.floor else "≤"
        bar, aim = ("" if limit is None else f"{sign} {limit:g}{self.unit}" for limit in (self.bar, self.aim))
        verdict = "" if self.bar is None else "met" if self.met else "MISSED"
        beside = "".join(f" {f'{self.beside[name]:.3g}' if name in self.beside else ''} |" for name in others)
        return f"| {self.name} | {self.value:.3g}{self.unit} | {bar} | {aim} | {verdict} |{beside} {self.detail} |"


def render(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    others = list(dict.fromkeys(name for figure in figures for name in figure.beside))
    columns = ["figure", "value", "bar", "aim", "", *others, "how"]
    head = [f"| {' | '.join(columns)} |".replace("|  |", "| |"), "| --- " * len(columns) + "|"]
    return "\n".join([*head, *(figure.row(others) for figure in figures)])


def machine(device: str) -> str:
    """One line with the processor or card, the cores and the versions that the figures depend on."""
    import torch

    cores = torch.get_num_threads()
    names = [f"Python {platform.python_version()}", f"torch {torch.__version__}"]
    if device.startswith("cuda"):
        names.insert(0, torch.cuda.get_device_name(device))
    return f"{platform.machine()} {processor()} ({instruction_set()}), {cores} cores; " + ", ".join(names)


def processor() -> str:
    """The name of this machine's processor."""
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123 - a bare machine's one-liner
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


class Seconds(float):
    """The median of what several runs took, in seconds; `best` is the least of it."""

    best: float

    @classmethod
    def of(cls, runs: Sequence[float]) -> Seconds:
        """Those of these runs."""
        found = cls(statistics.median(runs))
        found.best = min(runs)
        return found


def in_turn(repeats: int, say: Say, **runs: Callable[[], object]) -> dict[str, Seconds]:
    """Seconds of each run by name, after one unmeasured round. Runs alternate, so that noise meets all."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
                say(f"  {name} {seconds[name][-1]:.2f} s")
    return {name: Seconds.of(values) for name, values in seconds.items()}
