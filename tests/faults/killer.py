"""The random killer: carries out a plan on a stage's processes, and brings everything up at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.faults.plan import Deed, Step
from tests.faults.postgres import Postgres
from tests.faults.stage import Stage
from tests.processes import LocalProcess, wait_for

ENDS = 60.0  # seconds in which a process must end that was asked to
AGAIN = 3.0  # seconds after which a process that ended by itself is started again, as a supervisor does
EVERY = tuple(Deed)
SIGNALS = {
    Deed.KILL: signal.SIGKILL,
    Deed.STOP: signal.SIGSTOP,
    Deed.TERMINATE: signal.SIGTERM,
    Deed.RESTART: signal.SIGTERM,
}


class Victim(Protocol):
    """A process, or several that belong together."""

    deeds: Sequence[Deed]

    def signal(self, number: int) -> bool:
        """Send a signal to all of it; returns whether it was there."""

    def ended(self) -> bool:
        """Whether it is gone."""

    def start(self) -> None:
        """Start it, without waiting until it is ready."""

    def ready(self) -> None:
        """Wait until it does its work."""


@dataclass
class Ours:
    """A process that we started; with `whole`, the processes that it has started too."""

    process: LocalProcess
    whole: bool = False
    deeds: Sequence[Deed] = EVERY
    started: float = field(default_factory=time.monotonic)

    def signal(self, number: int) -> bool:
        """See `Victim`. A request to end goes to the first process alone, which ends the others."""
        if self.ended():
            return False
        below = descendants(self.process.pid) if self.whole and number != signal.SIGTERM else []
        for pid in (self.process.pid, *below):
            send(pid, number)
        return True

    def ended(self) -> bool:
        """See `Victim`."""
        return self.process.status != "running"

    def start(self) -> None:
        """See `Victim`."""
        self.process.start()
        self.started = time.monotonic()

    def revive(self) -> None:
        """Start it where it has ended by itself, such as an api whose port was still taken."""
        if self.ended() and time.monotonic() - self.started > AGAIN:
            self.start()

    def ready(self) -> None:
        """See `Victim`. It is started again where it ends by itself meanwhile."""
        for last in (False, False, True):
            if self.ended():
                self.start()
            try:
                self.process.ready()
            except AssertionError:
                if last:
                    raise
            else:
                return


@dataclass
class PoolProcess:
    """A worker's pool process, which the worker replaces by itself.

    It ignores SIGTERM, which a whole unit or container gets at once: its worker ends it when its job is done.
    """

    worker: LocalProcess
    deeds: Sequence[Deed] = (Deed.KILL, Deed.STOP)
    pid: int = 0

    def signal(self, number: int) -> bool:
        """See `Victim`."""
        if number != signal.SIGCONT:
            self.pid = 0
            with contextlib.suppress(AssertionError):  # the worker itself may be starting
                self.pid = wait_for("a pool process", lambda: next(pool_processes(self.worker.pid), 0), 10)
        send(self.pid, number)
        return bool(self.pid)

    def ended(self) -> bool:
        """See `Victim`."""
        return not self.pid or not Path(f"/proc/{self.pid}").exists()

    def start(self) -> None:
        """See `Victim`: the worker does it."""

    def ready(self) -> None:
        """See `Victim`: the worker is a victim of its own."""


@dataclass
class Database:
    """PostgreSQL."""

    server: Postgres
    deeds: Sequence[Deed] = EVERY

    def signal(self, number: int) -> bool:
        """See `Victim`. Asked to end it would wait for its clients, so it is told not to."""
        found = self.server.processes()
        for pid in found if number in (signal.SIGSTOP, signal.SIGCONT) else found[:1]:
            send(pid, signal.SIGINT if number == signal.SIGTERM else number)
        return bool(found)

    def ended(self) -> bool:
        """See `Victim`."""
        return self.server.pid is None

    def start(self) -> None:
        """See `Victim`."""
        self.server.start()

    def ready(self) -> None:
        """See `Victim`."""
        self.server.start()


@dataclass
class Tables:
    """SQLite has no process; another writer can keep all others out."""

    path: Path
    deeds: Sequence[Deed] = (Deed.STOP,)
    held: sqlite3.Connection | None = None

    def signal(self, number: int) -> bool:
        """See `Victim`."""
        if number == signal.SIGSTOP:
            self.held = sqlite3.connect(self.path, isolation_level=None, timeout=30)
            self.held.execute("BEGIN IMMEDIATE")
        elif self.held:
            self.held.execute("ROLLBACK")
            self.held.close()
            self.held = None
        return True

    def ended(self) -> bool:
        """See `Victim`."""
        return True

    def start(self) -> None:
        """See `Victim`."""

    def ready(self) -> None:
        """See `Victim`."""


class Killer:
    """Carries out steps on the processes of a stage. `slow` has what did not end when it was asked to."""

    def __init__(self, stage: Stage, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._say = say
        self._groups: set[int] = set()
        self._down: Victim | None = None  # what must stay away now
        self.slow: list[str] = []
        self.missed = 0  # steps whose process was not there
        workers = [worker.container for worker in stage.workers]
        self.victims: dict[str, Victim] = {
            "storage": Ours(stage.storage),
            "broker": Ours(stage.broker.container),
            "database": Database(stage.postgres) if stage.postgres else Tables(stage.database / "jobs.sqlite"),
            "api": Ours(stage.api, whole=True),
            "dispatcher": Ours(stage.dispatcher),
        }
        for worker in workers:
            self.victims[worker.name] = Ours(worker)
        if stage.fetcher:
            self.victims["fetcher"] = Ours(stage.fetcher)
        for worker in workers:
            self.victims[f"{worker.name} with its pool"] = Ours(worker, whole=True, deeds=(Deed.KILL, Deed.STOP))
            self.victims[f"pool process of {worker.name}"] = PoolProcess(worker)

    @property
    def deeds(self) -> dict[str, Sequence[Deed]]:
        """What may happen to whom."""
        return {name: victim.deeds for name, victim in self.victims.items()}

    def run(self, steps: Iterator[Step], seconds: float) -> None:
        """Carry out steps until `seconds` are over."""
        start = time.monotonic()
        for step in steps:
            self._spend(step.pause)
            if (now := time.monotonic() - start) > seconds:
                return
            self._say(f"{now:6.1f} s  {step}")
            self._do(step)

    def bring_up(self) -> None:
        """Let everything go on and wait until it is ready; end what a killed process left behind."""
        self._down = None
        for victim in self.victims.values():
            victim.signal(signal.SIGCONT)
        for victim in self.victims.values():
            victim.ready()

    def left_behind(self) -> list[int]:
        """Pids of processes that outlived a killed parent, after up to a minute in which they may end. They are killed.

        A worker's pool process ends when the job that it had is over.
        """
        alive = {process.pid for process in self._stage.processes()}

        def look() -> list[int]:
            return [pid for group in self._groups - alive for pid in group_members(group)]

        with contextlib.suppress(AssertionError):
            wait_for("left processes to end", lambda: not look())
        found = look()
        for pid in found:
            send(pid, signal.SIGKILL)
        return found

    def _do(self, step: Step) -> None:
        victim = self.victims[step.target]
        self._down = victim
        if isinstance(victim, Ours):
            self._groups.add(victim.process.pid)
        if not victim.signal(SIGNALS[step.deed]):
            self.missed += 1  # it ended by itself just now, and is started again
            self._down = None
            return
        self._stage.fault()
        if step.deed is Deed.STOP:
            try:
                self._spend(step.hold)
            finally:
                victim.signal(signal.SIGCONT)
                self._down = None
            return
        self._wait_for_end(step, victim)
        if step.deed is not Deed.RESTART:
            self._spend(step.hold)
        victim.start()
        self._down = None
        if step.deed is Deed.RESTART:
            victim.ready()

    def _wait_for_end(self, step: Step, victim: Victim) -> None:
        try:
            wait_for(f"{step.target} to end", victim.ended, ENDS)
        except AssertionError:
            self.slow.append(f"{step.target} did not end in {ENDS:.0f} s: {step}")
            victim.signal(signal.SIGKILL)
            wait_for(f"{step.target} to end", victim.ended)

    def _spend(self, seconds: float) -> None:
        """Let time pass. Meanwhile whatever ended by itself is started again, as a supervisor would."""
        until = time.monotonic() + seconds

        def look() -> bool:
            for victim in self.victims.values():
                if isinstance(victim, Ours) and not self._same(victim, self._down):
                    victim.revive()
            return time.monotonic() >= until

        # processes are started here, in the main thread: the kernel ends them with the thread that started them
        wait_for("time to pass", look, seconds + 60)

    @staticmethod
    def _same(one: Ours, other: Victim | None) -> bool:
        return isinstance(other, Ours) and one.process is other.process


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        if pid:
            os.kill(pid, number)


def children(pid: int) -> list[int]:
    """Pids of the processes that this one started."""
    with contextlib.suppress(OSError):
        lists = ((task / "children").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir())
        return [int(each) for found in lists for each in found]
    return []


def descendants(pid: int) -> list[int]:
    """Pids of the processes below this one."""
    return [each for child in children(pid) for each in (child, *descendants(child))]


def pool_processes(worker: int) -> Iterator[int]:
    """Pids of a worker's pool processes, without the helper that billiard runs beside them."""
    for pid in children(worker):
        with contextlib.suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield pid


def group_members(group: int) -> list[int]:
    """Pids of the processes of a process group; zombies don't count."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            state, _, its_group = stat.read_text().rsplit(")", 1)[1].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(int(stat.parent.name))
    return found
