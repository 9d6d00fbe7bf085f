"""How well the demo model separates songs that it never saw: `python -m tests.bench.demo_model`.

Prints SI-SDR and its improvement over the mixture for each stem, mean over the held-out songs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

import numpy as np
import torch

from stemsvc.demo.measure import si_sdr
from stemsvc.demo.render import STEMS, render_song
from stemsvc.models.catalog import DEMO_WEIGHTS, load_catalog
from training.dataset import HELD_OUT
from workers.engine.separate import Separator
from workers.engine.weights import load_model


def score(seeds: Iterable[int], seconds: float, *, sampled: bool = False) -> dict[str, tuple[float, float]]:
    """Mean over the songs of (SI-SDR, improvement over the mixture) in dB by stem."""
    separator = Separator(load_model(load_catalog().get("demo"), [DEMO_WEIGHTS]))
    rows: dict[str, list[tuple[float, float]]] = {stem: [] for stem in STEMS}
    for seed in seeds:
        true = render_song(seed, seconds, sampled=sampled)
        mixture = np.sum([true[stem] for stem in STEMS], axis=0).T
        estimates = separator.separate_array(mixture)
        for stem in STEMS:
            reached = si_sdr(estimates[stem], true[stem].T)
            rows[stem].append((reached, reached - si_sdr(mixture, true[stem].T)))
    means = {stem: np.mean(values, axis=0) for stem, values in rows.items()}
    return {stem: (float(reached), float(gained)) for stem, (reached, gained) in means.items()}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--sampled", action="store_true", help="play the songs with a General MIDI soundfont")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = score(HELD_OUT, options.seconds, sampled=options.sampled)
    print(
        f"{'stem':10}{'SI-SDR dB':>12}{'improvement dB':>16}   {len(HELD_OUT)} held-out songs, {options.seconds:.0f} s"
    )
    for stem, (reached, gained) in table.items():
        print(f"{stem:10}{reached:12.2f}{gained:16.2f}")
    means = np.mean(list(table.values()), axis=0)
    print(f"{'mean':10}{means[0]:12.2f}{means[1]:16.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
