"""Decodes in a child process with limits: a stranger's file that breaks FFmpeg breaks only that process.

`main` runs in the child process. It reads one order from its input and writes one line of JSON to its output.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from stemsvc.errors import AudioCorrupt, DecoderDied, StemsvcError, revived, to_wire
from stemsvc.jobs.part import WHOLE, Part
from stemsvc.jobs.warnings import read_warnings
from workers.audio.decode import Limits, decode
from workers.audio.demux import CONTAINERS
from workers.audio.read_tags import read_tags
from workers.audio.tags import Tags
from workers.audio.track import Track
from workers.host.fork_server import fork
from workers.host.sandbox import ChildDied, be_child, talk

# Of address space beyond the libraries' own. Decoded frames are small, but a file's tables may claim any size.
MEMORY_BYTES = 1024 * 1024 * 1024
COVER = "cover"  # the file beside the samples that gets the track's front cover
CPU_SECONDS = 120  # for any file, and as many again for each hour that a track may last


def decode_apart(path: Path, spool: Path, limits: Limits, on_tick: Callable[[], None], part: Part = WHOLE) -> Track:
    """Run `decode` in a child process, and read the file's tags.

    `on_tick` is called at least twice a second. Raises what `decode` and `on_tick` raise, and `UsageError`
    `decoder_died` if the child process dies.
    """
    order = json.dumps({"path": str(path), "spool": str(spool), "limits": asdict(limits), "part": asdict(part)})
    try:
        return talk("workers.audio.decode_process", order, spool.parent, _read, on_tick, fork)
    except ChildDied as error:
        raise DecoderDied(f"the decoder died while it read this file (exit status {error.code})") from error


def _read(line: str) -> Track | None:
    found = json.loads(line)
    if "error" in found:
        raise revived(found["error"])
    track = found["track"]
    warnings, tags = read_warnings(track["warnings"]), Tags.from_json(track["tags"])
    return Track(**{**track, "path": Path(track["path"]), "warnings": warnings, "tags": tags})


def main() -> None:
    """Decode the file that the order names, and print the answer."""
    order = json.loads(be_child())
    limits = Limits(**order["limits"])
    _confine(limits)
    try:
        track = decode(Path(order["path"]), Path(order["spool"]), limits, Part(**order["part"]))
        track = replace(track, tags=read_tags(Path(order["path"]), CONTAINERS, track.path.with_name(COVER)))
        answer: dict[str, Any] = {"track": asdict(track)}
    except StemsvcError as error:
        answer = {"error": to_wire(error)}
    except MemoryError:
        answer = {"error": to_wire(AudioCorrupt("this file claims more memory than any track needs"))}
    print(json.dumps(answer, default=str), flush=True)  # paths


def _confine(limits: Limits) -> None:
    cpu = int(CPU_SECONDS * (1 + limits.max_seconds / 3600))
    bounds = {resource.RLIMIT_CPU: cpu, resource.RLIMIT_CORE: 0}
    if sys.platform == "linux":  # macOS refuses a bound of the address space: it maps hundreds of GB by itself
        bounds[resource.RLIMIT_AS] = _address_space() + MEMORY_BYTES
    for which, most in bounds.items():
        _, hard = resource.getrlimit(which)
        resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _address_space() -> int:
    """Bytes of address space that this process, with its libraries, has mapped so far."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main()
