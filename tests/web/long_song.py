"""A ten-minute song of six stems as the player gets it: peaks and pack, made by the workers' own writers.

A minute is rendered and encoded; the pack has it ten times, which costs a player what ten different minutes do. With
`--pairs` each second stem is the negative of the one before, in FLAC: together they are silence, to the last bit.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.audio.peaks import PeaksWriter
from workers.audio.preview import RATE, SEGMENT, PreviewWriter

STEMS = ("vocals", "drums", "bass", "other", "guitar", "piano")
MINUTE, TIMES = 15 * SEGMENT, 10

Sound = NDArray[np.float32]


def render(number: int) -> Sound:
    """A minute [n, 2] of a stem: notes that come and go, each stem in its own octave, in 16 bits."""
    random = np.random.default_rng(number)
    time = np.arange(MINUTE) / RATE
    sound = np.zeros((MINUTE, 2))
    for start in np.arange(0, 60, 0.5):
        if random.random() < 0.35:
            continue
        at = slice(round(start * RATE), round((start + 0.5) * RATE))
        note = 55 * 2 ** (number * 0.8 + random.integers(0, 12) / 12)
        envelope = np.exp(-random.uniform(2, 9) * (time[at] - start))
        for partial in range(1, 5):
            phase = 2 * np.pi * note * partial * time[at]
            sound[at] += 0.12 / partial * (envelope * np.sin(phase))[:, None] * random.uniform(0.6, 1, 2)
    return (np.rint(sound * 32767) / 32768).astype(np.float32)


def main() -> None:
    """Write `peaks.bin`, `preview.pack` and `preview.json` into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", action="store_true")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    sounds = [render(number) for number in range(len(STEMS))]
    if asked.pairs:
        sounds = [-sounds[number - 1] if number % 2 else sounds[number] for number in range(len(STEMS))]
    with PeaksWriter(asked.folder / "peaks.bin", STEMS, RATE, MINUTE * TIMES) as peaks:
        for _ in range(TIMES):
            peaks.write(sounds)
        peaks.finish()
    pack, index = asked.folder / "preview.pack", asked.folder / "preview.json"
    with PreviewWriter(pack, STEMS, RATE, "flac" if asked.pairs else "mp3", 2, 2) as writer:
        for at in range(0, MINUTE, SEGMENT):
            writer.write([sound[at : at + SEGMENT] for sound in sounds])
        writer.finish(index)
    told = json.loads(index.read_text())
    told |= {"frames": MINUTE * TIMES, "segments": told["segments"] * TIMES}
    index.write_text(json.dumps(told))
    once = pack.read_bytes()
    with pack.open("wb") as file:
        file.writelines([once] * TIMES)


if __name__ == "__main__":
    main()
