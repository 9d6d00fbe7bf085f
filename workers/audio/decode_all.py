"""Decodes several files at a time, each in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from workers.audio.decode import Limits
from workers.audio.decode_process import decode_apart
from workers.audio.track import Track

AT_ONCE = 2  # processes: a worker has about so many cores
TICK_SECONDS = 0.2


class _Stopped(Exception):
    """Raised in a decoder's thread when the others have ended."""


def decode_all(
    paths: Sequence[Path], folder: Path, limits: Limits, on_progress: Callable[[int, int], None]
) -> list[Track]:
    """The tracks, in order; a file that is named twice is decoded once. Raises what `decode_apart` does.

    `on_progress` is called in the caller's thread, several times a second, with finished and all files. What it raises
    ends the decoders.
    """
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise _Stopped

    def one(number: int, path: Path) -> Track:
        check()
        own = folder / f"decoded-{number}"  # each child puts the file's cover beside its samples
        own.mkdir()
        return decode_apart(path, own / "samples.f32", limits, check)

    distinct = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="decode") as pool:
        futures = [pool.submit(one, number, path) for number, path in enumerate(distinct)]
        try:
            waiting = set(futures)
            while waiting:
                on_progress(len(futures) - len(waiting), len(futures))
                done, waiting = wait(waiting, TICK_SECONDS, FIRST_EXCEPTION)
                for each in done:
                    each.result()
        finally:
            stop.set()
    tracks = {path: each.result() for path, each in zip(distinct, futures, strict=True)}
    return [tracks[path] for path in paths]
