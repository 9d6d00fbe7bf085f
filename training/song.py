"""Draw the bundled song by lot, and render it and its true stems: `python -m training.song`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

import stemsvc.demo
from stemsvc.demo.render import STEMS, render_song
from stemsvc.demo.voices import RATE

SECONDS = 24.0
LOTS = range(9400, 9500)  # seeds of the songs that might have become the bundled one
DRAW = 18  # the draw's own seed: the number of the issue that asked for a draw


def drawn() -> int:
    """The seed of the bundled song. Nobody has listened to the others, or measured them."""
    return int(np.random.default_rng(DRAW).choice(LOTS))


def write_song(folder: Path) -> None:
    """Write `mixture.flac` and one file a stem, all of 16 bits. The mixture is the sum of the stems as written."""
    folder.mkdir(parents=True, exist_ok=True)
    song = render_song(drawn(), SECONDS)
    true = {stem: np.round(sound * 32767).astype(np.int16) for stem, sound in song.items()}
    mixture = np.sum([true[stem].astype(np.int32) for stem in STEMS], axis=0)
    for name, samples in {**true, "mixture": np.clip(mixture, -32768, 32767).astype(np.int16)}.items():
        soundfile.write(folder / f"{name}.flac", samples.T, RATE, subtype="PCM_16")


if __name__ == "__main__":
    write_song(Path(stemsvc.demo.__file__).parent / "song")
