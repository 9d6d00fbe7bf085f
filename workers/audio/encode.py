"""Encodes stereo float32 to the formats that a client can ask for, as stereo or as mono."""

from __future__ import annotations

import contextlib
import errno
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from stemsvc.errors import EncodeFailed, ScratchFull
from stemsvc.jobs.levels import decibels
from workers.audio.loudness import Loudness
from workers.audio.rate import RateConverter
from workers.audio.tags import NONE, Tags
from workers.audio.track import CHANNELS
from workers.audio.true_peak import TruePeak
from workers.audio.write_tags import write_end, write_head

CHUNK = 1 << 16  # frames
LAYOUTS = {1: "mono", 2: "stereo"}
SILENT_PEAK = 1e-4  # -80 dB of full scale: nobody hears it beside the other stems


@dataclass(frozen=True)
class Codec:
    """How FFmpeg writes one of our formats."""

    container: str
    encoder: str
    sample_format: str
    bit_rate: int | None = None
    rates: tuple[int, ...] = ()  # in Hz, that the codec supports; empty: any


_MP3 = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC = (*_MP3[:-1], 48000, 64000, 88200, 96000)
CODECS = {
    ("wav", "16"): Codec("wav", "pcm_s16le", "s16"),
    ("wav", "24"): Codec("wav", "pcm_s24le", "s32"),
    ("wav", "float32"): Codec("wav", "pcm_f32le", "flt"),
    ("flac", "16"): Codec("flac", "flac", "s16"),
    ("flac", "24"): Codec("flac", "flac", "s32"),
    ("mp3", None): Codec("mp3", "libmp3lame", "fltp", 320_000, _MP3),
    ("aac", None): Codec("mp4", "aac", "fltp", 256_000, _AAC),  # `ipod` is the same, but takes no cover
    ("opus", None): Codec("ogg", "libopus", "flt", 192_000, (48000,)),  # opus always decodes at 48 kHz
}
OPTIONS = {
    "wav": {"rf64": "auto"},  # a wav above 4 GiB needs 64-bit sizes
    "mp4": {"brand": "M4A "},  # players and file managers know sound without pictures by it
}
SOON = {"max_interleave_delta": "1000000"}  # microseconds of sound that wait for the next packet of a cover: none comes
DEPTHS = {"16": 16, "24": 24}


@dataclass(frozen=True)
class Encoded:
    """A finished file: its path, size, hash, length and loudness."""

    path: Path
    bytes: int
    sha256: str
    sample_rate: int
    frames: int
    clipped_samples: int
    loudness_lufs: float | None = None
    peak: float = 0.0  # as a share of full scale, before clipping
    true_peak: float = 0.0  # the same of the wave between the samples
    channels: int = CHANNELS

    @property
    def facts(self) -> dict[str, float | int | bool | None]:
        """Channels, loudness, peak and clipping, as clients see them."""
        return {
            "channels": self.channels,
            "loudness_lufs": self.loudness_lufs,
            "peak": round(self.peak, 6),
            "peak_db": decibels(self.peak),
            "true_peak_db": decibels(self.true_peak),
            "clipped_samples": self.clipped_samples,
            "clipped": self.clipped_samples > 0,
            "silent": self.peak < SILENT_PEAK,
        }

    @property
    def seconds(self) -> float:
        """Playing time."""
        return self.frames / self.sample_rate


class Encoder:
    """Writes one file, piece by piece.

    With one of `channels` the file is mono: the mean of the two that are written. If a lossy codec does not support the
    sample rate, the file gets the next higher rate that the codec supports.
    Integer formats are rounded, never rescaled. Samples beyond full scale are clipped and counted. `write` and
    `close` raise `TransientError` `scratch_full` and `FatalError` `encode_failed`. The file is valid only after
    `close`.
    """

    def __init__(
        self,
        path: Path,
        rate: int,
        format: str,
        bit_depth: str | None,
        tags: Tags = NONE,
        channels: int = CHANNELS,
    ) -> None:
        self._path = path
        self._tags = tags
        self._codec = CODECS[format, bit_depth]
        self._bit_depth = bit_depth
        self._rate = carried_rate(self._codec, rate)
        self._converter = RateConverter(rate, self._rate)
        self._frames = self._clipped = 0
        self._channels = channels
        self._layout = LAYOUTS[channels]
        self._loudness = Loudness(self._rate, self._layout)
        self._true_peak = TruePeak(self._rate)
        with _encoding(self._codec):
            container, options = self._codec.container, {**OPTIONS.get(self._codec.container, {}), **SOON}
            self._container = av.open(str(path), "w", format=container, options=options)
            self._stream = cast(AudioStream, self._container.add_stream(self._codec.encoder, rate=self._rate))
            self._stream.layout = self._layout
            self._stream.format = self._codec.sample_format
            if self._codec.bit_rate:
                self._stream.bit_rate = self._codec.bit_rate
            write_head(self._container, self._stream, tags)

    def write(self, samples: NDArray[np.float32]) -> None:
        """Add samples [n, 2]."""
        self._encode(self._converter.convert(samples))

    def close(self) -> Encoded:
        """Finish the file and hash it."""
        self._encode(self._converter.finish())
        with _encoding(self._codec):
            self._container.mux(self._stream.encode(None))
            self._container.close()
            write_end(self._path, self._codec.container, self._tags)
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Encoded(
            self._path,
            self._path.stat().st_size,
            digest,
            self._rate,
            self._frames,
            self._clipped,
            self._loudness.integrated(),
            self._loudness.peak,
            self._true_peak.finish(),
            self._channels,
        )

    def abort(self) -> None:
        """Close the file and leave it unfinished."""
        with contextlib.suppress(av.FFmpegError):
            self._container.close()

    def _encode(self, samples: NDArray[np.float32]) -> None:
        with _encoding(self._codec):
            for start in range(0, len(samples), CHUNK):
                piece = samples[start : start + CHUNK]
                if self._channels == 1:
                    piece = piece.mean(axis=1, keepdims=True, dtype=np.float32)
                self._loudness.add(piece)
                self._true_peak.add(piece)
                quantised, over = quantise(piece, self._bit_depth)
                self._clipped += over
                frame = _frame(quantised, self._codec, self._rate, self._layout)
                frame.pts = self._frames
                self._frames += len(quantised)
                self._container.mux(self._stream.encode(frame))


@contextlib.contextmanager
def _encoding(codec: Codec) -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError) as error:  # some are both
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise ScratchFull("the scratch disk is full") from error
        raise EncodeFailed(f"{codec.encoder}: {error}") from error


def encode(samples: NDArray[np.float32], rate: int, path: Path, format: str, bit_depth: str | None) -> Encoded:
    """Write samples [n, 2] at `rate` Hz to `path` in one call."""
    encoder = Encoder(path, rate, format, bit_depth)
    encoder.write(samples)
    return encoder.close()


def carried_rate(codec: Codec, rate: int) -> int:
    """`rate` if the codec supports it, else the next higher rate that it supports, else its highest rate."""
    if not codec.rates or rate in codec.rates:
        return rate
    return min((r for r in codec.rates if r > rate), default=max(codec.rates))


def quantise(chunk: NDArray[np.float32], bit_depth: str | None) -> tuple[NDArray[np.generic], int]:
    """The samples as int16, as 24 bits in the top of int32 or as float32; and how many were clipped."""
    if bit_depth not in DEPTHS:
        return chunk, 0
    bits = DEPTHS[bit_depth]
    scale = np.float32(1 << bits - 1)
    scaled = np.rint(chunk * scale)  # exact: the scale is a power of two, and 24 bits are what a float32 holds
    top = scale - 1
    over = int(np.count_nonzero(scaled > top) + np.count_nonzero(scaled < -scale))
    whole = np.clip(scaled, -scale, top).astype(np.int32)
    return (whole.astype(np.int16), over) if bits == 16 else (whole << 8, over)


def _frame(chunk: NDArray[np.generic], codec: Codec, rate: int, layout: str) -> AudioFrame:
    planar = codec.sample_format.endswith("p")
    data = np.ascontiguousarray(chunk.T if planar else chunk.reshape(1, -1))
    frame = AudioFrame.from_ndarray(data, format=codec.sample_format, layout=layout)
    frame.sample_rate = rate
    return frame
