"""What the page's previews cost a separation: `python -m tests.bench.previews`.

Separates the bundled song, without previews and with each codec by turns, and prints medians. What a codec takes does
not depend on the model, so a share of `htdemucs`'s time is taken of what the catalog says that model takes for this
song. The bits of six stems are those of four, and half as many again. Fails where the default codec costs too much.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from stemsvc.demo import SONG
from stemsvc.demo.render import STEMS
from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.probe import track_seconds
from stemsvc.kinds.separate.kind import SeparateParams
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from workers.audio.decode import Limits
from workers.host.models import Models
from workers.kinds.separate.previews import OFF
from workers.kinds.separate.separate import separate_file

BAR = 3.0  # percent of a separation's time
RUNS = 5
CODECS = (None, OFF, "flac", "mp3")  # None makes nothing, and `off` makes peaks alone
MODEL = "htdemucs"  # whose time the shares are of


def run(models: Models, codec: str | None) -> tuple[float, float, int]:
    """Seconds of all processors and of the clock that a separation takes, and the bytes of its previews."""
    params = SeparateParams("demo", tuple(STEMS))
    entry = load_catalog().get("demo")
    with tempfile.TemporaryDirectory() as folder:
        cpu, clock = time.process_time(), time.perf_counter()
        flac, limits = Encoding("flac", "24"), Limits(600)
        done = separate_file(
            SONG, Path(folder), params, flac, entry, "cpu", models, limits, lambda *_: None, preview=codec
        )
        taken = time.process_time() - cpu, time.perf_counter() - clock
        return *taken, sum(each.bytes for each in done.previews.values())


def main() -> int:
    """Print the table; 1 where the default costs too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    runs = parser.parse_args().runs
    default = Settings.model_fields["preview"].default
    with SONG.open("rb") as file:
        song = track_seconds(file) or 0.0
    whole = song * load_catalog().get(MODEL).cost
    with tempfile.TemporaryDirectory() as cache:
        models = Models(cache=Path(cache))
        run(models, None)  # the first one loads the weights
        found: dict[str | None, list[tuple[float, float, int]]] = {codec: [] for codec in CODECS}
        for _ in range(runs):
            for codec in CODECS:
                found[codec].append(run(models, codec))
    middle = {codec: [statistics.median(column) for column in zip(*rows, strict=True)] for codec, rows in found.items()}
    base_cpu, base_clock, _ = middle.pop(None)
    print(f"| previews, median of {runs} | processor, s | clock, s | of {MODEL}'s time | Mbit/s of six stems |")
    print("| --- | ---: | ---: | ---: | ---: |")
    shares: dict[str | None, float] = {}
    for codec, (cpu, clock, size) in middle.items():
        shares[codec] = 100 * (clock - base_clock) / whole
        rate = size * 8 / song / 1e6 * 6 / len(STEMS)
        print(f"| {codec} | {cpu - base_cpu:+.2f} | {clock - base_clock:+.2f} | {shares[codec]:+.1f} % | {rate:.1f} |")
    return int(shares[default] > BAR)


if __name__ == "__main__":
    sys.exit(main())
