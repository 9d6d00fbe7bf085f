"""The processes of this machine: their arguments, which every user can read, and when they started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
# What `stemsvc` becomes; the first process of each runs for a moment only.
OURS = (b"-m\0stemsvc\0", b"\0workers.app\0", b"\0api.wsgi:make()\0", b"\0stemsvc.queue.flower_app\0")
FLOWER = OURS[-1]
FOLDER = b"STEMSVC_DATA_DIR="
STARTED = 19  # of the fields after the command's name: proc_pid_stat(5), field 22


@dataclass(frozen=True)
class Process:
    """A process. `arguments` is its whole command line, `started` is in seconds since the epoch, None if unknown."""

    pid: int
    arguments: bytes
    started: float | None

    def ours(self, data_dir: Path) -> bool:
        """Whether it is a program of the stemsvc over this data folder, as far as this user may know."""
        if not any(name in self.arguments for name in OURS) or self.pid == os.getpid():
            return False
        try:
            variables = (PROC / str(self.pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            return False
        named = [each.removeprefix(FOLDER) for each in variables if each.startswith(FOLDER)]
        return not named or os.fsencode(data_dir) in named

    def __str__(self) -> str:
        program = Path(self.arguments.partition(b"\0")[0].decode(errors="replace")).name
        return f"process {self.pid} ({program})"


def processes() -> Iterator[Process]:
    """Every process with arguments, on Linux; none elsewhere."""
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if arguments := (folder / "cmdline").read_bytes():
                yield Process(int(folder.name), arguments, _started(folder))


def _started(folder: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        ticks = int((folder / "stat").read_text().rpartition(")")[2].split()[STARTED])
        boot = next(line for line in (PROC / "stat").read_text().splitlines() if line.startswith("btime"))
        return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    return None
