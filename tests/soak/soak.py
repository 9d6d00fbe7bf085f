"""`python -m tests.soak.soak`: an even load of small jobs on a full stack, and what grows under it.

Rows, stems and keys live for about a minute, so that each table and folder has as much going as coming. After a warm-up
every figure is sampled. Prints each figure's growth per hour. Exits with 1 where one would double in a week, where a
process died, or where a client got an answer that it must not get.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import rabbitmq
from tests.faults.auditor import Auditor
from tests.faults.clients import Crowd, Track
from tests.faults.random_faults import site
from tests.faults.stage import BROKERS, RATE, SHORT, staged
from tests.faults.world import world
from tests.processes import wait_for
from tests.soak.gauges import Unit, lasting, measure
from tests.soak.growth import Growth, growth

SAMPLES = 60  # in the time after the warm-up, but no more than one each
LEAST_PAUSE = 3.0  # seconds
WARM_SHARE, WARM_SECONDS = 0.25, 75.0  # of the time and at least: until the first rows have been forgotten
CLIENTS, PAUSE = 2, 0.5  # seconds between two errands of a client
SETTINGS = {
    "STEMSVC_RESULT_CACHE": "true",
    "STEMSVC_ALLOWED_NETWORKS": "127.0.0.0/8",
    "STEMSVC_STEMS_TTL_SECONDS": "30",
    "STEMSVC_RETRY_TTL_SECONDS": "30",
    "STEMSVC_ROWS_TTL_SECONDS": "45",
    "STEMSVC_USAGE_TTL_SECONDS": "45",
    "STEMSVC_IDEMPOTENCY_TTL_SECONDS": "45",
    "STEMSVC_JANITOR_INTERVAL_SECONDS": "3",
}
# What clients may ask for beyond what they always draw. The length of a stem follows its sample rate.
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"residual": True},
    {"overlap": 0.5},
    {"shifts": 1, "seed": 7},
    {"segment": 2.0},
    {"precision": "fp32"},
    {"format": "wav", "bit_depth": "float32"},
    {"format": "flac", "bit_depth": "24"},
    {"format": "mp3"},
    {"sample_rate": 48000},
    {"filename_template": "{name} [{stem}]"},
    {"webhook_events": "job.succeeded,job.failed,job.progress"},
)


@dataclass
class Soak:
    """The result of a soak."""

    stack: str
    jobs: int = 0
    seconds: float = 0.0
    samples: int = 0
    grown: dict[str, tuple[Unit, Growth]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)  # errors in the logs, which say more of a complaint

    @property
    def broken(self) -> bool:
        """Whether something would double in a week, or was not as it must be."""
        return bool(self.complaints) or any(each.doubles for _, each in self.grown.values())

    def lines(self) -> list[str]:
        """The table, in Markdown, and what clients complained of."""
        rows = [
            f"| {name} | {unit.name} | {each.start:.1f} | {each.end:.1f} | {each.per_hour:+.2f} | {each.error:.2f} | "
            f"{'**yes**' if each.doubles else 'no'} |"
            for name, (unit, each) in sorted(self.grown.items())
        ]
        return [
            f"{self.stack}: {self.jobs} jobs in {self.seconds:.0f} s, {self.samples} samples after the warm-up",
            "",
            "| what | unit | start | end | growth per hour | its error | doubles in a week |",
            "| --- | --- | ---: | ---: | ---: | ---: | --- |",
            *rows,
            *(f"wrong: {each}" for each in self.complaints),
            *(self.logged if self.complaints else ()),
        ]


def soak(folder: Path, stack: str, minutes: float, seed: int, say: Callable[[str], None]) -> Soak:
    """Load a stage over a new folder for `minutes`."""
    result = Soak(stack)
    seconds = minutes * 60
    warm = max(WARM_SHARE * seconds, WARM_SECONDS)
    pause = max(LEAST_PAUSE, (seconds - warm) / SAMPLES)
    with staged(folder, stack, fetcher=True, **SETTINGS) as stage, world(site(stage)) as outside:
        tracks = [Track(site(stage) / stage.songs[SHORT].name, round(SHORT * RATE), 1, RATE)]
        with Crowd(stage.url, outside, tracks, seed, clients=CLIENTS, pause=PAUSE, options=OPTIONS, tidy=True) as crowd:
            start = time.monotonic()
            _until(start + warm)
            say(f"warm after {warm:.0f} s and {crowd.accepted} jobs")
            alive = lasting(stage)
            hours: list[float] = []
            series: dict[tuple[str, Unit], list[float]] = defaultdict(list)
            while (now := time.monotonic()) < start + seconds:
                hours.append((now - start) / 3600)
                for key, value in measure(stage).items():
                    series[key].append(value)
                _until(min(now + pause, start + seconds))
            result.seconds, result.jobs = time.monotonic() - start, crowd.accepted
            after = lasting(stage)
            result.complaints += [f"{name} died" for name in alive if after.get(name) != alive[name]]
        result.complaints += crowd.complaints
        result.logged = [f"{each.name}: {line}" for each in stage.processes() for line in _errors(each.logs())]
        with suppress(AssertionError):  # what is left to do is counted, not waited for any longer
            wait_for("rest", Auditor(stage.reader, stage.scratch).at_rest, 120)
        auditor = Auditor(stage.reader, stage.scratch)
        with suppress(AssertionError):  # a worker removes its folder just after its job's end
            wait_for("the scratch disk to be empty", lambda: not auditor.scratch_left())
        result.complaints += [f"left on the scratch disk: {name}" for name in auditor.scratch_left()]
    result.samples = len(hours)
    whole = {key: values for key, values in series.items() if len(values) == len(hours)}
    result.grown = {name: (unit, growth(hours, values, unit.floor)) for (name, unit), values in whole.items()}
    return result


def _errors(log: str) -> list[str]:
    """The last errors of a log, each with the lines after it."""
    lines = log.splitlines()
    places = [number for number, line in enumerate(lines) if re.search(r"Traceback|\[?(error|critical)\b", line)][-5:]
    return [line for place in places for line in lines[place : place + 40]]


def _until(moment: float) -> None:
    wait_for("time to pass", lambda: time.monotonic() >= moment, max(0.0, moment - time.monotonic()) + 60)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long jobs are sent, warm-up included")
    parser.add_argument("--seed", type=int, help="of the order of jobs and options; drawn if it is not given")
    parser.add_argument("--stack", choices=BROKERS, default=BROKERS[0])
    parser.add_argument("--report", type=Path, help="file for the table")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    if given.stack == "rabbitmq" and not rabbitmq.installed():
        print("RabbitMQ is not installed")
        return 1
    with tempfile.TemporaryDirectory(prefix="stemsvc-soak-") as folder:
        result = soak(Path(folder) / "stage", given.stack, given.minutes, seed, lambda text: print(text, flush=True))
    print("\n".join(result.lines()))
    if given.report:
        given.report.write_text("\n".join(result.lines()) + "\n")
    return int(result.broken)


if __name__ == "__main__":
    sys.exit(main())
