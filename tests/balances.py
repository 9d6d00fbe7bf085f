"""`python -m tests.balances`: the `balance` of each genre's template, measured from our own renders.

It prints a line for each genre, and how far its single pieces are from it. The seeds begin at `SEEDS`; tests use none
of them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.generate.brief import settle
from stemsvc.kinds.generate.params import GenerateParams
from stemsvc.models.catalog import load_catalog
from stemsvc.music.genres import genre_names
from stemsvc.settings import Settings
from workers.audio.analysis.signal import SignalMeter
from workers.audio.decode import Limits
from workers.kinds.generate.balance import EDGES, regions
from workers.kinds.generate.finish import part_gains
from workers.kinds.generate.pieces import total
from workers.kinds.generate.sketch.provider import Sketch
from workers.kinds.local import LocalAttempt

SEEDS, PIECES, SECONDS = 9000, 7, 16.0


def measured(genre: str, seed: int) -> list[float]:
    """The regions of one piece, in dB."""
    brief = settle(GenerateParams(genre=genre, seed=seed, duration=SECONDS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        attempt = LocalAttempt(
            folder, Encoding("wav", "float32"), load_catalog(), Limits(1e9), Settings(), lambda *_: None
        )
        piece = Sketch(None).make(brief, folder, attempt)
        meter = SignalMeter(piece.rate)
        for _, samples in piece.blocks(part_gains(piece, attempt)):  # the limiter changes next to nothing here
            meter.add(total(samples))
        found = regions(meter.facts(2)["spectrum"]["bands"])
    assert found is not None, brief
    return list(found.values())


def main() -> None:
    """Print the lines."""
    for genre in sys.argv[1:] or genre_names():
        pieces = np.array([measured(genre, SEEDS + number) for number in range(PIECES)])
        middle = np.median(pieces, axis=0)
        levels = ", ".join(f"{name}: {level:.0f}" for name, level in zip(EDGES, middle, strict=True))
        print(f"{genre}: balance: {{{levels}}}  # at most {np.abs(pieces - middle).max():.1f} dB off", flush=True)


if __name__ == "__main__":
    main()
