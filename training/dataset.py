"""The training songs as files: they are rendered once from their seeds and read back in random excerpts.

Training uses seeds from `TRAINING_SEED` on, and never the songs with the seeds `HELD_OUT`.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stemsvc.demo.render import STEMS, render_song

SECONDS = 16.0
TRAINING_SEED = 1_000_000
HELD_OUT = range(9000, 9020)
SAMPLE_SEED = 9116  # the bundled song, chosen from 18 because it separates well
INT16 = 32767.0


def render_training_songs(folder: Path, synthesised: int, sampled: int, processes: int) -> list[Path]:
    """Render what is missing of the training set into `folder`, one int16 [4, 2, samples] array a song."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        (folder / f"{TRAINING_SEED + i}.npy", TRAINING_SEED + i, i >= synthesised) for i in range(synthesised + sampled)
    ]
    missing = [job for job in jobs if not job[0].exists()]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, _ in enumerate(pool.imap_unordered(_render_one, missing), 1):
            if done % 50 == 0:
                print(f"rendered {done} of {len(missing)} songs", flush=True)
    return [path for path, _, _ in jobs]


def _render_one(job: tuple[Path, int, bool]) -> None:
    path, seed, sampled = job
    stems = render_song(seed, SECONDS, sampled=sampled)
    array = np.stack([stems[stem] for stem in STEMS])
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, np.round(np.clip(array, -1, 1) * INT16).astype(np.int16))
    part.replace(path)


class Excerpts:
    """Random excerpts of the training songs, remixed: stems of different songs, gains, polarity, channels, silence."""

    def __init__(
        self,
        synthesised: list[Path],
        sampled: list[Path],
        length: int,
        seed: int,
        *,
        remix: float,
        sampled_share: float,
    ) -> None:
        self._synthesised = [np.load(path, mmap_mode="r") for path in synthesised]
        self._sampled = [np.load(path, mmap_mode="r") for path in sampled]
        self._length = length
        self._rng = np.random.default_rng(seed)
        self._remix = remix
        self._sampled_share = sampled_share

    def batch(self, size: int) -> NDArray[np.float32]:
        """True stems, float32 [size, 4, 2, length]."""
        return np.stack([self._excerpt() for _ in range(size)])

    def _excerpt(self) -> NDArray[np.float32]:
        rng = self._rng
        remix = rng.random() < self._remix
        song, at = self._draw()
        out = np.empty((len(STEMS), 2, self._length), np.float32)
        for stem in range(len(STEMS)):
            if remix:
                song, at = self._draw()
            part = song[stem, :, at : at + self._length] / np.float32(INT16)
            gain = 0.0 if rng.random() < 0.06 else 10 ** (rng.normal(0, 3.0) / 20) * rng.choice([-1, 1])
            out[stem] = (part[::-1] if rng.random() < 0.5 else part) * np.float32(gain)
        return out * np.float32(10 ** (rng.uniform(-9, 3) / 20))

    def _draw(self) -> tuple[NDArray[np.int16], int]:
        songs = self._sampled if self._rng.random() < self._sampled_share else self._synthesised
        song = songs[self._rng.integers(len(songs))]
        return song, int(self._rng.integers(0, song.shape[-1] - self._length))
