"""Native Instruments' `.stem.mp4`: the song and four stems as streams of one MP4, and an atom that tells of them.

The atom is `moov/udta/stem` with JSON (Native Instruments, "Stem file specification"; Mixxx reads the same). PyAV
writes the streams and puts `moov` at the end, so that no offset in it moves when the atom is put in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from stemsvc.errors import EncodeFailed
from workers.audio.tags import Tags
from workers.audio.track import Track, scratch_errors
from workers.audio.write_tags import write_head

STEMS = 4  # the format has no other number
BLOCK = 4096  # frames; ALAC's packets have as many
AAC_BIT_RATE = 256_000
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
Sound = NDArray[np.float32]
# A player's effects on the four stems' sum: both are off.
MASTERING = {
    "compressor": {
        "enabled": False,
        "input_gain": 0.5,
        "output_gain": 0.5,
        "threshold": 0,
        "dry_wet": 50,
        "attack": 0.003,
        "release": 0.3,
        "ratio": 3,
        "hp_cutoff": 300,
    },
    "limiter": {"enabled": False, "release": 0.05, "threshold": 0, "ceiling": -0.35},
}


@dataclass(frozen=True)
class Stem:
    """One of the four: its name, its colour as #RRGGBB, and the tracks that are summed in it; none: silence."""

    name: str
    colour: str
    tracks: tuple[Track, ...]


@dataclass(frozen=True)
class Written:
    """The finished file: its frames, and how many samples of the sums were beyond full scale."""

    path: Path
    frames: int
    rate: int
    clipped: int


def write_stem_mp4(
    path: Path,
    mixture: Track | None,
    stems: Sequence[Stem],
    codec: str,
    bits: str,
    tags: Tags,
    key: str,
    on_tick: Callable[[], None],
) -> Written:
    """Write the file. Without a `mixture` the first stream is the stems' sum. All tracks have one rate.

    `bits` are those of ALAC, 16 or 24; what is longer than a track is silence. `key` is the song's, which programs for
    DJs read from a field of its own; empty: none. Raises `FatalError` `encode_failed`.
    """
    assert len(stems) == STEMS
    held = [track for stem in stems for track in stem.tracks] + ([mixture] if mixture else [])
    frames, rate = max(track.frames for track in held), held[0].sample_rate
    clipped = 0
    with scratch_errors(), _translated():
        container = av.open(str(path), "w", format="mp4")
        try:
            streams = [_stream(container, codec, rate, bits) for _ in range(1 + STEMS)]
            write_head(container, streams[0], tags)
            for at in range(0, frames, BLOCK):
                on_tick()
                parts = [_sum(stem.tracks, at, min(at + BLOCK, frames)) for stem in stems]
                song = _sum([mixture], at, min(at + BLOCK, frames)) if mixture else np.sum(parts, axis=0)
                for stream, samples in zip(streams, (song, *parts), strict=True):
                    clipped += int(np.count_nonzero(np.abs(samples) > 1))
                    container.mux(stream.encode(_frame(samples, stream, at)))
            for stream in streams:
                container.mux(stream.encode(None))
        finally:
            container.close()
        put_atom(path, manifest(stems), {"initialkey": key} if key else {})
    return Written(path, frames, rate, clipped)


def manifest(stems: Sequence[Stem]) -> bytes:
    """The atom's JSON."""
    told = [{"name": stem.name, "color": stem.colour} for stem in stems]
    return json.dumps({"mastering_dsp": MASTERING, "version": 1, "stems": told}, ensure_ascii=False).encode()


def put_atom(path: Path, content: bytes, more: Mapping[str, str] | None = None) -> None:
    """Put the atom `stem` into `moov/udta`, and `more` fields beside the tags there; `moov` is the file's last box.

    Raises `FatalError` `encode_failed`.
    """
    with path.open("r+b") as file:
        start, size = _last_box(file)
        file.seek(start + 8)
        moov = [*_boxes(file.read(size - 8))]
        udta = next((body for name, body in moov if name == b"udta"), b"")
        kept = b"".join(_box(name, _with_fields(name, body, more or {})) for name, body in _boxes(udta))
        rest = b"".join(_box(name, body) for name, body in moov if name != b"udta")
        body = rest + _box(b"udta", kept + _box(b"stem", content))
        file.seek(start)
        file.write(_box(b"moov", body))
        file.truncate()


def _with_fields(name: bytes, body: bytes, fields: Mapping[str, str]) -> bytes:
    """The box `meta` with these fields in its list of tags, as iTunes writes fields that it has no atom for."""
    if name != b"meta" or not fields:
        return body
    added = b"".join(
        _box(
            b"----",
            _box(b"mean", bytes(4) + b"com.apple.iTunes")
            + _box(b"name", bytes(4) + field.encode())
            + _box(b"data", (1).to_bytes(4) + bytes(4) + text.encode()),  # 1: a text in UTF-8
        )
        for field, text in fields.items()
    )
    parts = [(inner, held + added if inner == b"ilst" else held) for inner, held in _boxes(body[4:])]
    return body[:4] + b"".join(_box(*part) for part in parts)


def _box(name: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4) + name + body


def _last_box(file: BinaryIO) -> tuple[int, int]:
    """Where `moov` begins, and its size."""
    at, found, end = 0, (0, 0, b""), file.seek(0, 2)
    while at < end:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4])
        if size == 1:  # the size follows, in 64 bits
            size = int.from_bytes(head[8:16])
        found = (at, size or end - at, head[4:8])
        at += max(8, found[1])
    if found[2] != b"moov":
        raise EncodeFailed("the last box of the MP4 is not moov")
    return found[0], found[1]


def _boxes(body: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 0
    while at + 8 <= len(body):
        size = int.from_bytes(body[at : at + 4])
        found.append((body[at + 4 : at + 8], body[at + 8 : at + size]))
        at += max(8, size)
    return found


def _stream(container: av.container.OutputContainer, codec: str, rate: int, bits: str) -> AudioStream:
    stream = cast(AudioStream, container.add_stream(codec, rate=rate))
    stream.layout = "stereo"
    stream.time_base = Fraction(1, rate)
    if codec == "alac":
        stream.format = "s16p" if bits == "16" else "s32p"
    else:
        stream.format, stream.bit_rate = "fltp", AAC_BIT_RATE
    return stream


def _sum(tracks: Sequence[Track | None], start: int, stop: int) -> Sound:
    total = np.zeros((stop - start, 2), np.float32)
    for track in tracks:
        if track is not None and start < track.frames:
            held = track.read(start, min(stop, track.frames))
            total[: len(held)] += held
    return total


def _frame(samples: Sound, stream: AudioStream, at: int) -> AudioFrame:
    shape = stream.format.name
    if shape == "fltp":
        planes: NDArray[np.generic] = np.clip(samples, -1, 1).astype(np.float32)
    elif shape == "s16p":
        planes = np.clip(np.rint(samples.astype(np.float64) * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
    else:  # 24 bits at the top of 32
        planes = np.clip(np.rint(samples.astype(np.float64) * 2**23), -(2**23), 2**23 - 1).astype(np.int32) << 8
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(planes.T), format=shape, layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = stream.rate, at, Fraction(1, stream.rate)
    return frame


class _translated:  # noqa: N801 - used as a function
    """FFmpeg's errors become ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, av.error.FFmpegError) and not isinstance(error, OSError):
            raise EncodeFailed(f"the .stem.mp4 can't be written: {error}") from error
