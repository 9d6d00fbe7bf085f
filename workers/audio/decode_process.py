"""Decoding in a child process with limits: whatever a stranger's file does to FFmpeg, it does it there.

`python -m workers.audio.decode_process` is the child: an order on its input, a line of JSON on its output.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stemsvc.errors import AudioCorrupt, DecoderDied, StemsvcError, revived, to_wire
from workers.audio.decode import Limits, decode
from workers.audio.track import Track
from workers.host.sandbox import ChildDied, be_child, talk

MEMORY_BYTES = 1024 * 1024 * 1024  # of address space beyond what the libraries take: frames are small, tables may lie
CPU_SECONDS = 120  # for any file, and as much again for each hour that a track may have


def decode_apart(path: Path, spool: Path, limits: Limits, on_tick: Callable[[], None]) -> Track:
    """`decode` in a child; raises what it does, and `UsageError` `decoder_died` where the file ended the child."""
    order = json.dumps({"path": str(path), "spool": str(spool), "limits": asdict(limits)})
    try:
        return talk("workers.audio.decode_process", order, spool.parent, _read, on_tick)
    except ChildDied as error:
        raise DecoderDied(f"this file ended its decoder ({error.code})") from error


def _read(line: str) -> Track | None:
    found = json.loads(line)
    if "error" in found:
        raise revived(found["error"])
    return Track(**{**found["track"], "path": Path(found["track"]["path"])})


def main() -> None:
    """Serve one order."""
    order = json.loads(be_child())
    limits = Limits(**order["limits"])
    _confine(limits)
    try:
        track = decode(Path(order["path"]), Path(order["spool"]), limits)
        answer: dict[str, Any] = {"track": {**asdict(track), "path": str(track.path)}}
    except StemsvcError as error:
        answer = {"error": to_wire(error)}
    except MemoryError:
        answer = {"error": to_wire(AudioCorrupt("this file claims more memory than any track needs"))}
    print(json.dumps(answer), flush=True)


def _confine(limits: Limits) -> None:
    cpu = int(CPU_SECONDS * (1 + limits.max_seconds / 3600))
    for which, most in (
        (resource.RLIMIT_AS, _address_space() + MEMORY_BYTES), (resource.RLIMIT_CPU, cpu), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        _, hard = resource.getrlimit(which)
        resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _address_space() -> int:
    """Bytes that the libraries have mapped already."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # no Linux
        return 4 * MEMORY_BYTES


if __name__ == "__main__":
    main()
