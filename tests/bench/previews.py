"""What the page's previews cost a separation: `python -m tests.bench.previews`.

Separates the bundled song, without previews and with each codec by turns, and prints medians. `--model htdemucs` tells
of a published model, and fails where the default codec costs more than 3 %. The demo model is ten times as quick, so
its share is no measure: it only shows how the codecs compare.
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
from stemsvc.kinds.separate.kind import SeparateParams
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from workers.audio.decode import Limits
from workers.kinds.separate.models import Models
from workers.kinds.separate.previews import OFF
from workers.kinds.separate.separate import separate_file

BAR = 3.0  # percent of the processor time of a separation
RUNS = 5
CODECS = (None, OFF, "flac", "mp3")


def run(models: Models, model: str, codec: str | None) -> tuple[float, float, int]:
    """Seconds of all processors and of the clock that a separation takes, and the bytes of its previews."""
    params = SeparateParams(model, tuple(STEMS))
    entry = load_catalog().get(model)
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
    parser.add_argument("--model", default="demo")
    asked = parser.parse_args()
    runs, model = asked.runs, asked.model
    default = Settings.model_fields["preview"].default
    with tempfile.TemporaryDirectory() as cache:
        models = Models(cache=Path(cache))
        run(models, model, None)  # the first one loads the weights
        found: dict[str | None, list[tuple[float, float, int]]] = {codec: [] for codec in CODECS}
        for _ in range(runs):
            for codec in CODECS:
                found[codec].append(run(models, model, codec))
    middle = {codec: [statistics.median(column) for column in zip(*rows, strict=True)] for codec, rows in found.items()}
    base = middle[None][0]
    print(f"| previews, median of {runs} | processor, s | clock, s | more | bytes |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for codec, (cpu, clock, size) in middle.items():
        print(f"| {codec or 'none'} | {cpu:.2f} | {clock:.2f} | {100 * (cpu / base - 1):+.1f} % | {size:,.0f} |")
    return int(model != "demo" and 100 * (middle[default][0] / base - 1) > BAR)


if __name__ == "__main__":
    sys.exit(main())
