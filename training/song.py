"""Render the bundled song and its true stems again: `python -m training.song`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

import stemsvc.demo
from stemsvc.demo.render import STEMS, render_song
from stemsvc.demo.voices import RATE
from training.dataset import SAMPLE_SEED

SECONDS = 24.0


def write_song(folder: Path) -> None:
    """Write `mixture.flac` and one file a stem, all of 16 bits. The mixture is the sum of the stems as written."""
    folder.mkdir(parents=True, exist_ok=True)
    true = {stem: np.round(sound * 32767).astype(np.int16) for stem, sound in render_song(SAMPLE_SEED, SECONDS).items()}
    mixture = np.sum([true[stem].astype(np.int32) for stem in STEMS], axis=0)
    for name, samples in {**true, "mixture": np.clip(mixture, -32768, 32767).astype(np.int16)}.items():
        soundfile.write(folder / f"{name}.flac", samples.T, RATE, subtype="PCM_16")


if __name__ == "__main__":
    write_song(Path(stemsvc.demo.__file__).parent / "song")
