"""The training songs as files: rendered once from their seeds, read back in random excerpts.

`python -m training.pool --own 120 --wide 400` renders what is missing; a later run with larger numbers adds to it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stemsvc.demo.render import STEMS, render_song
from stemsvc.demo.voices import Sound
from workers.bench.rendered.band import render_wide_song

INT16 = 32767.0


@dataclass(frozen=True)
class Collection:
    """Songs of one renderer, by seeds from `first` on."""

    name: str
    first: int
    seconds: float
    render: Callable[[int, float], dict[str, Sound]]

    def paths(self, folder: Path, count: int) -> list[Path]:
        """Where the first `count` songs lie."""
        return [folder / f"{self.name}-{self.first + i}.npy" for i in range(count)]


OWN = Collection("own", 1_000_000, 16.0, render_song)
WIDE = Collection("wide", 2_000_000, 24.0, render_wide_song)
COLLECTIONS = {collection.name: collection for collection in (OWN, WIDE)}


def render_missing(folder: Path, counts: dict[str, int], processes: int) -> None:
    """Render what is missing into `folder`: one int16 array [4, 2, samples] a song, its peak at full scale."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [
        (path, name, COLLECTIONS[name].first + i)
        for name, count in counts.items()
        for i, path in enumerate(COLLECTIONS[name].paths(folder, count))
        if not path.exists()
    ]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, _ in enumerate(pool.imap_unordered(_render_one, missing), 1):
            if done % 20 == 0:
                print(f"rendered {done} of {len(missing)} songs", flush=True)


def _render_one(job: tuple[Path, str, int]) -> None:
    path, name, seed = job
    collection = COLLECTIONS[name]
    stems = collection.render(seed, collection.seconds)
    array = np.stack([stems[stem] for stem in STEMS])
    array *= np.float32(INT16 / max(1.0, float(np.abs(array).max())))
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, np.round(array).astype(np.int16))
    part.replace(path)


class Excerpts:
    """Random excerpts of the songs, remixed: stems of different songs, speed, levels, polarity, channels, silence.

    Songs are mapped, not read, so memory stays the same however many there are.
    """

    def __init__(self, own: list[Path], wide: list[Path], length: int, seed: int, *, remix: float, own_share: float):
        self._own = [np.load(path, mmap_mode="r") for path in own]
        self._wide = [np.load(path, mmap_mode="r") for path in wide]
        self._length = length
        self._rng = np.random.default_rng(seed)
        self._remix = remix
        self._own_share = own_share

    def batch(self, size: int) -> NDArray[np.float32]:
        """True stems, float32 [size, 4, 2, length]."""
        return np.stack([self._own_excerpt() if self._rng.random() < self._own_share else self._wide_excerpt()
                         for _ in range(size)])  # fmt: skip

    def _own_excerpt(self) -> NDArray[np.float32]:
        """As the song is, or stems of several songs at nearly the levels that they have."""
        rng = self._rng
        gains = 10 ** (rng.normal(0, 2.0, len(STEMS)) / 20) * (rng.random(len(STEMS)) > 0.04)
        return self._mix(self._own, gains, peak=10 ** (rng.uniform(-9, 0) / 20))

    def _wide_excerpt(self) -> NDArray[np.float32]:
        """Stems are up to 26 dB apart, and sometimes silent."""
        rng = self._rng
        spread = rng.uniform(-20, 6, len(STEMS)) if rng.random() < 0.3 else rng.normal(0, 3.5, len(STEMS))
        gains = 10 ** (spread / 20) * (rng.random(len(STEMS)) > 0.08)
        return self._mix(self._wide, gains, peak=10 ** (rng.uniform(-12, 0) / 20))

    def _mix(self, songs: list[NDArray[np.int16]], gains: NDArray[np.float64], peak: float) -> NDArray[np.float32]:
        rng = self._rng
        remix = rng.random() < self._remix
        pick = rng.integers(len(songs), size=len(STEMS)) if remix else np.full(len(STEMS), rng.integers(len(songs)))
        out = np.empty((len(STEMS), 2, self._length), np.float32)
        speed, at = self._draw_speed(), rng.random()
        for stem, gain in enumerate(gains):
            if remix:
                speed, at = self._draw_speed(), rng.random()
            part = self._cut(songs[pick[stem]][stem], at, speed)
            if remix and rng.random() < 0.5:
                part = part[::-1]
            out[stem] = part * np.float32(gain * (rng.choice([-1, 1]) if remix else 1))
        highest = float(np.abs(out.sum(axis=0)).max())
        return out * np.float32(peak / max(highest, 1e-3)) if highest > 0 else out

    def _draw_speed(self) -> float:
        """How much faster than played, pitch and all; half of the excerpts stay as they are."""
        return 1.0 if self._rng.random() < 0.5 else float(2 ** self._rng.uniform(-2.5 / 12, 2.5 / 12))

    def _cut(self, sound: NDArray[np.int16], at: float, speed: float) -> NDArray[np.float32]:
        span = int(self._length * speed) + 2
        first = int(at * (sound.shape[-1] - span))
        part = sound[:, first : first + span] / np.float32(INT16)
        if speed == 1.0:
            return np.asarray(part[:, : self._length], np.float32)
        steps = np.arange(self._length) * speed
        return np.stack([np.interp(steps, np.arange(span), channel) for channel in part]).astype(np.float32)


def main(argv: list[str] | None = None) -> int:
    """Render the pool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo-dataset"))
    parser.add_argument("--own", type=int, default=120, help="songs of the bundled song's kind")
    parser.add_argument("--wide", type=int, default=400, help="songs of all other renderers")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(argv)
    render_missing(options.folder, {"own": options.own, "wide": options.wide}, options.processes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
