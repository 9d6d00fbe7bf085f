"""Songs that are never trained on: of our own renderer, and of others.

`python -m training.held_out` renders the others, which the tests read, again: it needs Debian's fluidsynth, flite and
csound-soundfont. Their soundfont is in the public domain and Flite's voices may be used for anything, so the songs are
ours, MIT as the project.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile

from stemsvc.demo.measure import read_sound
from stemsvc.demo.render import STEMS, render_song
from stemsvc.demo.voices import RATE, Sound

OWN_SEEDS = range(9000, 9020)
OTHER_SEEDS = range(9300, 9306)
# Songs of both kinds that only the training's log looks at.
OWN_VALIDATION = range(9020, 9024)
OTHER_VALIDATION = range(9320, 9328)
SONGS = Path(__file__).parent / "held_out"
SECONDS = 12.0


def write_songs(folder: Path) -> None:
    """Write `{seed}-{stem}.ogg` of all of `OTHER_SEEDS`: small enough to keep. What Vorbis changes, the truth loses."""
    from workers.bench.rendered.band import render_held_out_song

    folder.mkdir(parents=True, exist_ok=True)
    for seed in OTHER_SEEDS:
        for stem, sound in render_held_out_song(seed, SECONDS).items():
            soundfile.write(folder / f"{seed}-{stem}.ogg", sound.T, RATE, format="OGG", subtype="VORBIS")


def read_song(seed: int) -> dict[str, Sound]:
    """A song of `OTHER_SEEDS` as it was written: {stem: float32 [2, samples] at 44.1 kHz}."""
    return {stem: read_sound(SONGS / f"{seed}-{stem}.ogg")[0].T for stem in STEMS}


def validation_songs(folder: Path, seconds: float = 9.0) -> dict[str, list[Sound]]:
    """{"own": songs, "other": songs} that a training looks at on its way, each [4, 2, samples]; rendered once."""
    from workers.bench.rendered.band import render_held_out_song

    sets = {"own": (OWN_VALIDATION, render_song), "other": (OTHER_VALIDATION, render_held_out_song)}
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Sound]] = {}
    for name, (seeds, render) in sets.items():
        found[name] = []
        for seed in seeds:
            path = folder / f"{name}-{seed}.npy"
            if not path.exists():
                stems = render(seed, seconds)
                np.save(path, np.stack([stems[stem] for stem in STEMS]))
            found[name].append(np.load(path))
    return found


def main() -> int:
    """Render the songs that the tests read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=SONGS)
    write_songs(parser.parse_args().output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
