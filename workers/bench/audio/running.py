"""Kinds' work on rendered songs, timed, and its memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds import registry
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from workers.bench.table import Figure, Say
from workers.kinds.base import Made
from workers.kinds.local import ran

Sound = NDArray[np.float32]
FLOAT = Encoding("wav", "float32")
KIB_PER_MB = 1024
SHORT_SECONDS, LONG_SECONDS = 180.0, 3600.0


@dataclass(frozen=True)
class Timed:
    """What the work made, the seconds that it took by the clock, and those of a CPU, children's too."""

    made: Made
    seconds: float
    busy: float


def write_song(path: Path, samples: Sound, rate: int, seconds: float | None = None) -> Path:
    """Samples [n, 2], repeated until they play `seconds`: as float in a `.wav`, with 24 bits in a `.flac`."""
    left = len(samples) if seconds is None else round(seconds * rate)
    depth = "FLOAT" if path.suffix == ".wav" else "PCM_24"
    with soundfile.SoundFile(path, "w", rate, samples.shape[1], depth) as file:
        while left > 0:
            file.write(samples[:left])
            left -= len(samples)
    return path


def run(
    kind: str,
    asked: Mapping[str, Any],
    files: Sequence[tuple[str, Path]],
    encoding: Encoding,
    output: Path | None = None,
) -> Timed:
    """Do the work, and time it. The first file is kept as `output`, if that is given."""
    of = registry.get(kind)
    params = of.check(of.read(asked), [role for role, _ in files], load_catalog())
    start, busy = time.perf_counter(), _busy()
    with ran(of, params, files, encoding, Settings(), lambda *_: None) as found:
        seconds, busy = time.perf_counter() - start, _busy() - busy
        if output is not None:
            next(iter(found.made.files.values())).path.replace(output)
        return Timed(found.made, seconds, busy)


def _busy() -> float:
    """CPU-seconds of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def speed_figure(kind: str, detail: str, length: float, timed: Timed, bar: float | None, aim: float | None) -> Figure:
    """How many times faster than it plays a track of `length` seconds was worked on.

    A machine that others use too makes the time on the clock longer, and not the CPU-seconds: both are told.
    """
    clock = f"{length:.0f} s, {detail}; {timed.seconds:.1f} s, of a CPU {timed.busy:.1f} s"
    return Figure(f"{kind}, times real time", clock, length / timed.seconds, "", bar, aim, floor=True)


def memory_figure(
    kind: str, asked: Mapping[str, Any], files: Callable[[float], Sequence[tuple[str, Path]]], detail: str, say: Say
) -> Figure:
    """How much more memory a track of an hour takes than one of three minutes; `files` makes tracks of a length."""
    say(f"{kind}: memory")
    peaks = [peak_memory(kind, asked, files(seconds)) for seconds in (SHORT_SECONDS, LONG_SECONDS)]
    told = f"{peaks[1]:.0f} less {peaks[0]:.0f} MB{', ' if detail else ''}{detail}"
    return Figure(f"{kind}: memory, 60 less 3 minutes", told, peaks[1] - peaks[0], " MB", 100, 30)


def peak_memory(kind: str, asked: Mapping[str, Any], files: Sequence[tuple[str, Path]]) -> float:
    """The most MB that a process and its children had resident while they did the work."""
    order = json.dumps([kind, dict(asked), [[role, str(path)] for role, path in files]])
    done = subprocess.run(
        [sys.executable, "-m", "workers.bench.audio.running"], input=order, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    """In the child process: do the work that the order names, and print the peak."""
    kind, asked, files = json.loads(sys.stdin.read())
    run(kind, asked, [(role, Path(path)) for role, path in files], Encoding("flac", "24"))
    print(max(_own_peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / KIB_PER_MB))


def _own_peak() -> float:
    """The most MB that this program had resident. `ru_maxrss` has what the process had before it became this program,
    a copy of its parent: where there is a /proc, its high-water mark is read instead."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MB
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / KIB_PER_MB


if __name__ == "__main__":
    main()
