"""How long a step's hand-over takes: from the end of one job to the start of the next one, which waited for it.

A fresh stack of real processes runs chains of short separations, one chain at a time, so that its pool is idle. Both
moments are the job store's: the last entry of one job's timeline, and `running` in the next one's.
"""

from __future__ import annotations

import statistics
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stemsvc.embedded import background
from stemsvc.embedded.ports import free_port
from stemsvc.settings import Settings
from workers.bench.table import Figure, Say

if TYPE_CHECKING:
    from stemsvc_client import Client, Workflow

LONG_CHAIN = 5  # steps
SECONDS = 1.0  # of the song
BAR_MS = 150.0


def handover_figures(chains: int, say: Say) -> list[Figure]:
    """The median and the 95th percentile of all hand-overs."""
    from stemsvc_client import Client

    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as folder:
        settings = Settings(
            data_dir=Path(folder) / "data", api_port=free_port(), pools="demo:cpu", result_cache=False, concurrency=1
        )
        song = _song(Path(folder) / "song.wav")
        stack = background.start(settings)
        try:
            with Client(stack.url) as client:
                _chain(client, song)  # warm up: the network is loaded once
                found = [each for number in range(chains) for each in _timed(client, song, number, say)]
        finally:
            background.stop(settings)
    p95 = statistics.quantiles(found, n=20)[-1]
    detail = f"{len(found)} hand-overs of {chains} chains on an idle pool; p95 {p95:.0f} ms"
    return [Figure("hand-over of a step, p50", detail, statistics.median(found), " ms", BAR_MS)]


def _timed(client: Client, song: Path, number: int, say: Say) -> list[float]:
    found = [*_handovers(_chain(client, song))]
    say(f"chain {number + 1}: {', '.join(f'{each:.0f}' for each in found)} ms")
    return found


def _chain(client: Client, song: Path) -> Workflow:
    """A workflow in which each step takes what the step before has made, at its end."""
    steps = [
        {
            "id": f"s{number}",
            "do": "separate",
            "with": {"model": "demo", "stems": ["vocals"]},
            "inputs": {"source": f"s{number - 1}.vocals" if number else "source"},
        }
        for number in range(LONG_CHAIN)
    ]
    started = client.start_workflow(steps, song)
    return client.finished_workflow(started.id, timeout=600)


def _handovers(workflow: Workflow) -> list[float]:
    """Milliseconds between one step's end and the next one's start."""
    moments: dict[tuple[str, str], datetime] = {}
    for each in workflow.decisions:
        if each.at is not None:
            moments[each.step, each.to] = each.at
    return [
        (moments[f"s{number}", "running"] - moments[f"s{number - 1}", "succeeded"]).total_seconds() * 1000
        for number in range(1, LONG_CHAIN)
    ]


def _song(path: Path) -> Path:
    import numpy as np

    from stemsvc.demo.render import render_song
    from workers.audio.encode import Encoder

    sound = np.sum(list(render_song(9600, SECONDS).values()), axis=0).T.astype(np.float32)
    encoder = Encoder(path, 44100, "wav", "16")
    encoder.write(np.ascontiguousarray(sound))
    encoder.close()
    return path
