"""Figures of the engine beside processes that compute, and of an engine that has nothing to do."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from workers.bench.engine import RATE, SIZES, Sound, bag, music, network
from workers.bench.roformers import CHUNKS, roformer
from workers.bench.table import Figure, Say, in_turn
from workers.engine.bag import Bag, Chunked
from workers.engine.kept import cores
from workers.engine.separate import Separator

BESIDE = (1, 2, 4)  # competing processes, each with one thread
BAR = 1.2  # of what its share of the cores takes
IDLE_SECONDS = 3.0
IDLE_BAR = 0.02  # of a core
COMPUTE = """
import numpy as np
left = right = np.ones((256, 256), np.float32)
print("ready", flush=True)
while True:
    left @ right
"""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def load_figures(size: str, seconds: float, repeats: int, cache: Path | None, say: Say) -> Iterator[Figure]:
    """The time that a track takes beside processes that compute, against the engine's fair share of the cores."""
    separator = Separator(bag(network(SIZES[size])), cache=cache)
    yield from _beside("engine", separator, music(seconds), BESIDE, repeats, say)
    chunk = CHUNKS["small"]
    roformers = Separator(Bag([Chunked(roformer("Mel-Band RoFormer", size), RATE, chunk)], ["vocals"]))
    yield from _beside("Mel-Band RoFormer", roformers, music(chunk / RATE), (1, 2), repeats, say)
    yield _idle("HTDemucs, in OpenVINO", separator, say)
    yield _idle("a RoFormer, in OpenVINO and torch", roformers, say)


def _beside(
    name: str, separator: Separator, track: Sound, counts: Iterable[int], repeats: int, say: Say
) -> Iterator[Figure]:
    run = partial(separator.separate_array, track)
    for count in counts:
        say(f"{name}: {len(track) / RATE:g} s of music alone, and beside {count} processes that compute")
        alone = in_turn(repeats, say, alone=run)["alone"]
        with competing(count):
            took = in_turn(repeats, say, beside=run)["beside"]
        fair = (cores() + count) / cores()  # every thread that computes gets as much as any other
        detail = f"{took:.2f} s, alone {alone:.2f} s; a fair share of {cores()} cores is {fair:.2f} times that"
        yield Figure(f"{name} beside {count} processes: time / that of its share", detail, took / alone / fair, bar=BAR)


def _idle(name: str, separator: Separator, say: Say) -> Figure:
    """How much of a core the process takes once a track is done: threads that spin take whole ones."""
    separator.separate_array(music(CHUNKS["small"] / RATE))
    time.sleep(0.5)  # threads may look for work for a moment
    say(f"{name}: {IDLE_SECONDS:g} s of nothing")
    before, start = time.process_time(), time.perf_counter()
    time.sleep(IDLE_SECONDS)
    share = (time.process_time() - before) / (time.perf_counter() - start)
    return Figure(f"idle engine: share of a core ({name})", f"{IDLE_SECONDS:g} s", share, bar=IDLE_BAR)


@contextlib.contextmanager
def competing(count: int) -> Iterator[None]:
    """Run processes that compute with one thread each, until the block ends."""
    command, children = [sys.executable, "-c", COMPUTE], []
    try:
        for _ in range(count):
            children.append(subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **ONE_THREAD}))
        for child in children:
            if child.stdout is None or child.stdout.readline() != b"ready\n":
                raise RuntimeError("a competing process of the bench did not start")
        yield
    finally:
        for child in children:
            child.kill()
            child.communicate()
