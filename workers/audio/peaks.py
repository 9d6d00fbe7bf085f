"""Writes the waveforms of a job's stems for players to draw: `peaks.bin`.

Little endian throughout:

| bytes | what |
| --- | --- |
| 4 | the magic `STPK` |
| u16, u16 | version (1), number of stems |
| u32, u64 | sample rate in Hz, samples per channel |
| u16, u16 | number of zooms, reserved (0) |
| u8 + n, for each stem | length of its name in bytes, its name in UTF-8 |
| 0 to 3 | zeros, up to a multiple of 4 |
| u32, u32, u64, for each zoom | samples per pixel, pixels of a stem, where its data begin in the file |

The zooms follow, the coarsest first: a player draws the whole song from the first few kB and fetches the finest by
`Range` where it shows it. The data of a zoom are those of one stem after the other. A pixel is two int8: the lowest
and the highest sample of both channels; 127 is full scale, and what is beyond is cut. The last pixel may cover fewer
samples than the others.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION = b"STPK", 1
ZOOMS = (16384, 2048, 256)  # samples per pixel; each is a multiple of the next
FULL_SCALE = 127
PIXEL_BYTES = 2
_HEAD, _ZOOM = struct.Struct("<4sHHIQHH"), struct.Struct("<IIQ")

Sound = NDArray[np.float32]
Pixels = NDArray[np.int8]  # [n, 2]: lowest, highest


class PeaksWriter:
    """Writes the peaks of stems that have `frames` samples each, piece by piece. Its memory stays small."""

    def __init__(self, path: Path, stems: Sequence[str], rate: int, frames: int) -> None:
        head, starts = _head(stems, rate, frames)
        self._file = path.open("wb")
        self._file.write(head)
        self._stems = [_Stem([start + number * size for start, size in starts]) for number in range(len(stems))]
        self._frames = frames

    def __enter__(self) -> PeaksWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, pieces: Sequence[Sound]) -> None:
        """Add the next samples [n, 2] of each stem, in the stems' order."""
        for stem, samples in zip(self._stems, pieces, strict=True):
            self._put(stem.add(samples))

    def finish(self) -> None:
        """Write the last pixels. Raises `ValueError` where a stem has another length than was said."""
        for stem in self._stems:
            if stem.frames != self._frames:
                raise ValueError(f"a stem has {stem.frames} samples, not {self._frames}")
            self._put(stem.rest())
        self._file.flush()

    def _put(self, places: list[tuple[int, Pixels]]) -> None:
        for at, pixels in places:
            self._file.seek(at)
            self._file.write(pixels.tobytes())


def _head(stems: Sequence[str], rate: int, frames: int) -> tuple[bytes, list[tuple[int, int]]]:
    """The bytes before the data; and of each zoom where its data begin and how many bytes a stem has there."""
    names = b"".join(bytes([len(name)]) + name for name in (stem.encode()[:255] for stem in stems))
    head = _HEAD.pack(MAGIC, VERSION, len(stems), rate, frames, len(ZOOMS), 0) + names
    head += bytes(-len(head) % 4)
    at, entries, starts = len(head) + _ZOOM.size * len(ZOOMS), b"", []
    for zoom in ZOOMS:
        pixels = -(-frames // zoom)
        entries += _ZOOM.pack(zoom, pixels, at)
        starts.append((at, pixels * PIXEL_BYTES))
        at += pixels * PIXEL_BYTES * len(stems)
    return head + entries, starts


class _Stem:
    """One stem's samples and pixels that fill no pixel yet. `places`: where its data go, the coarsest zoom first."""

    def __init__(self, places: Sequence[int]) -> None:
        self.frames = 0
        self._places = list(reversed(places))  # finest first, as pixels are made
        self._samples = np.zeros((0, 2), np.float32)
        self._pixels: list[Pixels] = [np.zeros((0, 2), np.int8) for _ in ZOOMS[:-1]]

    def add(self, samples: Sound) -> list[tuple[int, Pixels]]:
        """The pixels that are whole now, each with its place in the file."""
        self.frames += len(samples)
        self._samples = np.concatenate([self._samples, samples])
        whole = len(self._samples) // ZOOMS[-1] * ZOOMS[-1]
        blocks, self._samples = self._samples[:whole].reshape(-1, ZOOMS[-1] * 2), self._samples[whole:]
        return self._up(_quantised(blocks.min(axis=1), blocks.max(axis=1)), last=False)

    def rest(self) -> list[tuple[int, Pixels]]:
        """The pixels that the end of the track leaves short."""
        fine = np.zeros((0, 2), np.int8)
        if len(self._samples):
            fine = _quantised(self._samples.min(keepdims=True)[0], self._samples.max(keepdims=True)[0])
        return self._up(fine, last=True)

    def _up(self, pixels: Pixels, last: bool) -> list[tuple[int, Pixels]]:
        """Places of these pixels of the finest zoom, and of the coarser ones that they fill."""
        found = [self._placed(0, pixels)]
        for level, times in enumerate(_TIMES):
            waiting = np.concatenate([self._pixels[level], pixels])
            whole = len(waiting) // times * times
            blocks = waiting[:whole].reshape(-1, times, 2)
            made, short = [np.stack([blocks[:, :, 0].min(1), blocks[:, :, 1].max(1)], 1)], waiting[whole:]
            if last and len(short):
                made.append(np.array([[short[:, 0].min(), short[:, 1].max()]], np.int8))
            self._pixels[level], pixels = short, np.concatenate(made)
            found.append(self._placed(level + 1, pixels))
        return found

    def _placed(self, level: int, pixels: Pixels) -> tuple[int, Pixels]:
        at = self._places[level]
        self._places[level] += len(pixels) * PIXEL_BYTES
        return at, pixels


_TIMES = tuple(coarse // fine for coarse, fine in zip(ZOOMS[-2::-1], ZOOMS[:0:-1], strict=True))  # finest first


def _quantised(low: Sound, high: Sound) -> Pixels:
    both = np.stack([low, high], axis=-1)
    return np.clip(np.rint(both * FULL_SCALE), -FULL_SCALE, FULL_SCALE).astype(np.int8)
