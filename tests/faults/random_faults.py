"""`python -m tests.faults.random_faults`: kills, freezes, ends and restarts every process at random under load.

It prints its seed first. The same seed gives the same sequence of faults, targets and pauses. At the end everything
is brought up, and when all is at rest it counts what went wrong. Exits non-zero unless that is nothing.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from stemsvc.control.services import open_services
from stemsvc.settings import Settings
from tests import rabbitmq
from tests.faults.auditor import Account, Auditor, Errand
from tests.faults.clients import BROKEN, Crowd, Track
from tests.faults.killer import Killer
from tests.faults.plan import steps
from tests.faults.stage import BROKERS, LEASE, RATE, SHORT, Stage, staged
from tests.faults.world import world
from tests.processes import wait_for

REST = 400.0  # seconds for all to come to rest: a webhook whose deliverer died is sent again after one minute or two
TITLES = (
    "stack",
    "seconds",
    "faults",
    "accepted",
    "lost",
    "doubled",
    "stuck",
    "wrong",
    "left over",
    "webhooks missing",
    "webhooks wrong",
    "rest s",
)
SETTINGS = {
    "STEMSVC_MAX_ATTEMPTS": "100",  # a job may be hit by many faults, and none of them is its own
    "STEMSVC_RESULT_CACHE": "true",
    "STEMSVC_ALLOWED_NETWORKS": "127.0.0.0/8",
    "STEMSVC_MAX_UPLOADS_PER_KEY": "100000",
}


@dataclass
class Tally:
    """The result of one run on one stack."""

    stack: str
    seconds: float
    faults: int = 0
    accepted: int = 0
    rest: float = float("nan")
    account: Account = field(default_factory=Account)
    notes: list[str] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        """Whether a promise was."""
        return any(self.account.counts())

    def line(self) -> str:
        """The row of the table."""
        counts = (f"{self.seconds:.0f}", self.faults, self.accepted, *self.account.counts())
        return f"| {self.stack} | " + " | ".join(map(str, counts)) + f" | {self.rest:.1f} |"


def table(tallies: Sequence[Tally]) -> list[str]:
    """One row for each stack, in Markdown."""
    return [
        f"| {' | '.join(TITLES)} |",
        f"| --- |{' ---: |' * (len(TITLES) - 1)}",
        *(tally.line() for tally in tallies),
    ]


def attack(folder: Path, stack: str, seconds: float, seed: int, say: Callable[[str], None]) -> Tally:
    """Break a stage over a new folder for `seconds`, let it come to rest and look."""
    tally = Tally(stack, seconds)
    with staged(folder, stack, fetcher=True, **SETTINGS) as stage, world(site(stage)) as outside:
        killer = Killer(stage, say)
        tracks = [
            Track(site(stage) / path.name, round(length * RATE), weight, RATE)
            for (length, path), weight in zip(sorted(stage.songs.items()), (20, 1), strict=True)
        ]
        with Crowd(stage.url, outside, tracks, seed) as crowd:
            killer.run(steps(seed, killer.deeds, LEASE), seconds)
            killer.bring_up()
        say("everything is up; waiting until all is at rest")
        start = time.monotonic()
        auditor = Auditor(stage.reader, stage.scratch)
        with suppress(AssertionError):  # what does not end is counted below
            wait_for("rest", auditor.at_rest, REST)
            tally.rest = time.monotonic() - start
        crowd.errands.append(_clear_scratch(stage, auditor))
        swept = _sweep(stage)
        account = tally.account = auditor.audit(crowd.errands, outside.told)
        account.wrong += crowd.complaints
        account.stuck += killer.slow
        account.left += [f"process {pid}" for pid in killer.left_behind()]
        tally.faults = stage.injected
        tally.accepted = crowd.accepted
        ways = ", ".join(f"{way} {count}" for way, count in sorted(crowd.ways.items()))
        tally.notes = [
            f"{stack}: errands: {ways}; webhooks {len(outside.told)}, {len(outside.refused)} of them refused once",
            f"{stack}: {_number_cached(auditor)} results of an earlier job; objects that the janitor found {swept}; "
            f"faults without a process to hit {killer.missed}",
            *(f"{stack}: {entry}" for entry in account.all()),
        ]
    return tally


def site(stage: Stage) -> Path:
    """The folder of tracks that can be sent or fetched."""
    folder = stage.folder / "site"
    if not folder.exists():
        folder.mkdir()
        for path in stage.songs.values():
            shutil.copyfile(path, folder / path.name)
        (folder / BROKEN).write_bytes(b"this is no music\n" * 1000)
    return folder


def _clear_scratch(stage: Stage, auditor: Auditor) -> Errand:
    """Send one more job: its worker removes the folders of the dead. One that had no lock yet stays for a minute."""
    errand = Errand("last", "form", "succeeded", round(SHORT * RATE), asked=1)

    def look() -> bool:
        job = stage.client.submit(stage.songs[SHORT], stems="vocals", cache="false", metadata='{"errand": "last"}')
        errand.asked = len(errand.job_ids) + 1
        errand.job_ids.append(str(job["id"]))
        stage.client.wait(errand.job_ids[-1], 120)
        return not auditor.scratch_left()

    with suppress(AssertionError):
        wait_for("the scratch disk to be empty", look, 75)
    return errand


def _sweep(stage: Stage) -> int:
    """Run the janitor at once over files without a row, which it else suspects for an hour. Returns what it removed.

    A request that was cut off between its file and its row leaves such a file. No request runs any more.
    """
    before = len(stage.reader.stored("."))
    values = {name.removeprefix("STEMSVC_").lower(): value for name, value in stage.environment.items()}
    known = {name: value for name, value in values.items() if name in Settings.model_fields}
    services = open_services(Settings.model_validate(known))
    try:
        services.janitor.suspect_seconds = 0.0
        services.janitor.sweep()
    finally:
        services.close()
    return before - len(stage.reader.stored("."))


def _number_cached(auditor: Auditor) -> int:
    with auditor.reader.tables() as ask:
        return sum(bool(cached) for (cached,) in ask("SELECT cached FROM jobs"))


def main() -> int:
    """Print the seed, the faults and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long processes are broken on each stack")
    parser.add_argument("--seed", type=int, help="replays the faults of a run; drawn if it is not given")
    parser.add_argument("--stack", choices=(*BROKERS, "both"), default="both")
    parser.add_argument("--folder", type=Path, help="keep logs and data here")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    tallies = []
    for stack in BROKERS if given.stack == "both" else (given.stack,):
        if stack == "rabbitmq" and not rabbitmq.installed():
            print("rabbitmq: skipped, because RabbitMQ is not installed")
            continue
        with tempfile.TemporaryDirectory(prefix="stemsvc-faults-") as temporary:
            folder = given.folder or Path(temporary)
            tallies.append(attack(folder / stack, stack, given.seconds, seed, lambda text: print(text, flush=True)))
    print("\n".join((*(note for tally in tallies for note in tally.notes), "", *table(tallies))))
    return int(any(tally.broken for tally in tallies) or not tallies)


if __name__ == "__main__":
    sys.exit(main())
