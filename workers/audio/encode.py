"""Encoding stereo float32 to the formats a client can ask for."""

from __future__ import annotations

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

from stemsvc.errors import FatalError, TransientError
from workers.audio.rate import resample

CHUNK = 1 << 16  # frames


@dataclass(frozen=True)
class Codec:
    """How FFmpeg writes one of our formats."""

    container: str
    encoder: str
    sample_format: str
    bit_rate: int | None = None
    rates: tuple[int, ...] = ()  # what the codec can carry; empty: any


_MP3 = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC = (*_MP3[:-1], 48000, 64000, 88200, 96000)
CODECS = {
    ("wav", "16"): Codec("wav", "pcm_s16le", "s16"),
    ("wav", "24"): Codec("wav", "pcm_s24le", "s32"),
    ("wav", "float32"): Codec("wav", "pcm_f32le", "flt"),
    ("flac", "16"): Codec("flac", "flac", "s16"),
    ("flac", "24"): Codec("flac", "flac", "s32"),
    ("mp3", None): Codec("mp3", "libmp3lame", "fltp", 320_000, _MP3),
    ("aac", None): Codec("ipod", "aac", "fltp", 256_000, _AAC),
    ("opus", None): Codec("ogg", "libopus", "flt", 192_000, (48000,)),  # opus decodes at 48 kHz whatever went in
}
DEPTHS = {"16": 16, "24": 24}


@dataclass(frozen=True)
class Encoded:
    """A finished file and its facts."""

    path: Path
    bytes: int
    sha256: str
    sample_rate: int
    frames: int
    clipped_samples: int

    @property
    def seconds(self) -> float:
        """The file's length."""
        return self.frames / self.sample_rate


def encode(samples: NDArray[np.float32], rate: int, path: Path, format: str, bit_depth: str | None) -> Encoded:
    """Write [n, 2] at `rate` to `path`; a lossy codec that can't carry the rate gets the next one that it can.

    Integer formats are rounded, never rescaled; what lies beyond full scale is clipped and counted. Raises
    `TransientError` `scratch_full`, `FatalError` `encode_failed`.
    """
    codec = CODECS[format, bit_depth]
    target = carried_rate(codec, rate)
    if target != rate:
        samples = resample(samples, rate, target, round(len(samples) * target / rate))
    clipped = 0
    try:
        options = {"rf64": "auto"} if codec.container == "wav" else {}  # a wav above 4 GiB needs 64-bit sizes
        with av.open(str(path), "w", format=codec.container, options=options) as container:
            stream = cast(AudioStream, container.add_stream(codec.encoder, rate=target))
            stream.layout = "stereo"
            stream.format = codec.sample_format
            if codec.bit_rate:
                stream.bit_rate = codec.bit_rate
            at = 0
            for chunk in _chunks(samples):
                quantised, over = quantise(chunk, bit_depth)
                clipped += over
                frame = _frame(quantised, codec, target)
                frame.pts = at
                at += len(chunk)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        if isinstance(error, OSError) and error.errno == 28:
            raise TransientError("scratch_full", "the scratch disk is full") from error
        raise FatalError("encode_failed", f"{codec.encoder}: {error}") from error
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return Encoded(path, path.stat().st_size, digest.hexdigest(), target, len(samples), clipped)


def carried_rate(codec: Codec, rate: int) -> int:
    """`rate` where the codec carries it, else the next higher one that it does, else its highest."""
    if not codec.rates or rate in codec.rates:
        return rate
    return min((r for r in codec.rates if r > rate), default=max(codec.rates))


def quantise(chunk: NDArray[np.float32], bit_depth: str | None) -> tuple[NDArray[np.generic], int]:
    """Samples as the codec takes them and how many were clipped: int16, 24 bits in the top of int32, or float32."""
    if bit_depth not in DEPTHS:
        return chunk, 0
    bits = DEPTHS[bit_depth]
    scale = float(1 << bits - 1)
    scaled = np.rint(chunk.astype(np.float64) * scale)
    over = int(np.count_nonzero((scaled > scale - 1) | (scaled < -scale)))
    whole = np.clip(scaled, -scale, scale - 1).astype(np.int32)
    return (whole.astype(np.int16), over) if bits == 16 else (whole << 8, over)


def _chunks(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(samples), CHUNK):
        yield samples[start : start + CHUNK]


def _frame(chunk: NDArray[np.generic], codec: Codec, rate: int) -> AudioFrame:
    planar = codec.sample_format.endswith("p")
    data = np.ascontiguousarray(chunk.T if planar else chunk.reshape(1, -1))
    frame = AudioFrame.from_ndarray(data, format=codec.sample_format, layout="stereo")
    frame.sample_rate = rate
    return frame
