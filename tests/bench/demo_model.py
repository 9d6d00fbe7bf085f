"""How well the demo model separates songs that it never saw: `python -m tests.bench.demo_model`.

Prints SI-SDR and its improvement over the mixture for each stem: mean over the held-out songs of our own renderer, mean
over those of other renderers (`training/held_out`), and of the bundled song.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from stemsvc.demo import SONG
from stemsvc.demo.measure import Sound, read_sound, si_sdr
from stemsvc.demo.render import STEMS, render_song
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import DEMO_WEIGHTS, load_catalog
from training.held_out import OTHER_SEEDS, OWN_SEEDS, read_song
from workers.engine.separate import Separator
from workers.engine.weights import load_model

Figures = dict[str, tuple[float, float]]


def score(
    songs: Iterable[dict[str, Sound]], weights: Path = DEMO_WEIGHTS, options: SeparationOptions | None = None
) -> Figures:
    """Mean over songs {stem: [2, samples]} of (SI-SDR, improvement over the mixture) in dB by stem."""
    separator = Separator(load_model(load_catalog().get("demo"), [weights]))
    rows: dict[str, list[tuple[float, float]]] = {stem: [] for stem in STEMS}
    for true in songs:
        mixture = np.sum([true[stem] for stem in STEMS], axis=0).T
        estimates = separator.separate_array(mixture, options=options)
        for stem in STEMS:
            reached = si_sdr(estimates[stem], true[stem].T)
            rows[stem].append((reached, reached - si_sdr(mixture, true[stem].T)))
    means = {stem: np.mean(values, axis=0) for stem, values in rows.items()}
    return {stem: (float(reached), float(gained)) for stem, (reached, gained) in means.items()}


def own_songs(seeds: Iterable[int] = OWN_SEEDS, seconds: float = 8.0) -> Iterable[dict[str, Sound]]:
    """Held-out songs of the renderer that the bundled song comes from."""
    return (render_song(seed, seconds) for seed in seeds)


def other_songs() -> Iterable[dict[str, Sound]]:
    """Held-out songs of renderers that the model never heard."""
    return (read_song(seed) for seed in OTHER_SEEDS)


def bundled_song() -> Iterable[dict[str, Sound]]:
    """The bundled song's true stems."""
    return [{stem: read_sound(SONG.parent / f"{stem}.flac")[0].T for stem in STEMS}]


SETS = {"own": own_songs, "other": other_songs, "bundled": bundled_song}


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=DEMO_WEIGHTS)
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--overlap", type=float, help="the model's own if not given")
    parser.add_argument("--shifts", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    asked = SeparationOptions(overlap=options.overlap, shifts=options.shifts)
    for name in options.sets:
        table = score(SETS[name](), options.weights, asked)
        print(f"{name + ':':10}{'SI-SDR dB':>12}{'improvement dB':>16}")
        for stem, (reached, gained) in table.items():
            print(f"{stem:10}{reached:12.2f}{gained:16.2f}")
        means = np.mean(list(table.values()), axis=0)
        print(f"{'mean':10}{means[0]:12.2f}{means[1]:16.2f}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
