"""What is measured of a stage: each of its processes, its folders, its tables, its broker."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.faults.killer import children, pool_processes
from tests.faults.stage import Stage

MIB = float(1 << 20)
KIB = 1024.0


@dataclass(frozen=True)
class Unit:
    """How a figure is shown, and the growth that may be noise."""

    name: str
    floor: float


MEMORY = Unit("MiB", 4.0)
COMPUTING = Unit("MiB", 128.0)  # of a process that computes: what a job needs comes and goes between two samples
FILES = Unit("open files", 5.0)
THREADS = Unit("threads", 3.0)
SOCKETS = Unit("sockets", 4.0)
ROWS = Unit("rows", 150.0)  # those of the jobs of a minute come and go with the pace of the machine
COUNT = Unit("files", 25.0)
SIZE = Unit("MiB", 2.0)

Figures = dict[tuple[str, Unit], float]


def measure(stage: Stage) -> Figures:
    """Every figure of this moment, by what it is of and its unit."""
    found: Figures = {}
    for name, pids in _processes(stage):
        for (what, unit), value in _of_processes(pids).items():
            computes = unit is MEMORY and name.startswith("pool process")
            found[f"{name}: {what}", COMPUTING if computes else unit] = value
    for name, folder in (
        ("scratch", stage.scratch),
        ("objects", stage.objects),
        ("metrics", stage.folder / "data" / "metrics"),
    ):
        sizes = list(_sizes(folder))
        found[f"{name}: files", COUNT] = len(sizes)
        found[f"{name}: size", SIZE] = sum(sizes) / MIB
    found |= _tables(stage)
    if stage.trouble.name == "redis":
        with redis.Redis.from_url(stage.trouble.url) as client:
            told = client.info()
            found["broker: its own count of memory", MEMORY] = told["used_memory"] / MIB
            found["broker: keys", ROWS] = float(client.dbsize())
            found["broker: clients", SOCKETS] = told["connected_clients"]
    return found


def lasting(stage: Stage) -> dict[str, int]:
    """The processes that must outlive the soak, by name."""
    found = {process.name: process.pid for process in stage.processes()}
    found |= {f"process of {stage.api.name}": next(iter(children(stage.api.pid)), 0)}
    for worker in stage.workers:
        found[f"pool process of {worker.container.name}"] = next(pool_processes(worker.container.pid), 0)
    return found


def _processes(stage: Stage) -> Iterator[tuple[str, Sequence[int]]]:
    yield from ((name, [pid]) for name, pid in lasting(stage).items())
    if stage.postgres:
        yield "database", stage.postgres.processes()


def _of_processes(pids: Sequence[int]) -> Figures:
    """The sum over processes; those that have just ended count as nothing."""
    sums: Figures = {("resident memory", MEMORY): 0.0, ("its share of memory", MEMORY): 0.0}
    sums |= {("open files", FILES): 0.0, ("threads", THREADS): 0.0, ("sockets", SOCKETS): 0.0}
    for pid in pids:
        with contextlib.suppress(OSError):
            folder = Path(f"/proc/{pid}")
            rollup = _fields(folder / "smaps_rollup")
            status = _fields(folder / "status")
            links = [_link(each) for each in (folder / "fd").iterdir()]
            sums["resident memory", MEMORY] += rollup["Rss"] / KIB
            sums["its share of memory", MEMORY] += rollup["Pss"] / KIB
            sums["threads", THREADS] += status["Threads"]
            sums["open files", FILES] += len(links)
            sums["sockets", SOCKETS] += sum(link.startswith("socket:") for link in links)
    return sums


def _fields(path: Path) -> dict[str, float]:
    """The lines `Name: number` of a file of /proc; sizes are in kB there."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = float(words[0])
    return found


def _link(path: Path) -> str:
    with contextlib.suppress(OSError):
        return str(path.readlink())
    return ""


def _sizes(folder: Path) -> Iterator[int]:
    """Bytes on disk of each file; the files of metrics are mostly holes. Files and folders may go meanwhile."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                yield (Path(parent) / name).lstat().st_blocks * 512


def _tables(stage: Stage) -> Figures:
    found: Figures = {}
    names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    if not stage.postgres:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    with stage.reader.tables() as ask:
        for (table,) in ask(names):
            found[f"rows of {table}", ROWS] = float(ask(f'SELECT count(*) FROM "{table}"')[0][0])
        if stage.postgres:
            found["database: size", SIZE] = float(ask("SELECT pg_database_size('postgres')")[0][0]) / MIB
            found["database: connections", SOCKETS] = float(ask("SELECT count(*) FROM pg_stat_activity")[0][0])
        else:
            found["database: size", SIZE] = sum(_sizes(stage.database)) / MIB
    return found
