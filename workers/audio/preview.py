"""Writes stems for players to stream: `preview.pack`, and the index that says what lies where in it.

The pack has segments of 4 seconds at 44.1 kHz, in the track's order, each stem's file after the other's: one request
for a range of the pack brings every stem of a moment. Each file is whole in itself, so that a player decodes it alone.
The index is JSON:

| name | what |
| --- | --- |
| `version` | 1 |
| `codec`, `content_type` | `mp3` or `flac`; of each file in the pack |
| `sample_rate`, `channels`, `frames` | 44100; 1 or 2; samples per channel of the whole track |
| `segment_frames` | samples of a segment; the last one has what is left |
| `roll_frames` | samples before and after a segment that its files have too, silence where there are none |
| `stems` | their names, in the pack's order |
| `segments` | for each segment the bytes of each stem's file; where one begins is the sum of those before |

An MP3 decoder is wrong at the edges of what it decodes. The player cuts the roll, two MPEG frames, and is right
everywhere. FLAC files have no roll.
"""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from workers.audio.encode import LAYOUTS, quantise
from workers.audio.rate import RateConverter

Sound = NDArray[np.float32]
RATE = 44100
SEGMENT = 4 * RATE
AHEAD = 2  # segments that may be encoded at a time: memory stays flat


@dataclass(frozen=True)
class PreviewCodec:
    """How the files of a pack are encoded."""

    container: str
    encoder: str
    sample_format: str
    content_type: str
    bytes_per_second: int  # at most, of a stereo stem
    bit_rate: int | None = None
    roll: int = 0  # samples before and after a segment
    options: dict[str, str] = field(default_factory=dict)


MPEG_FRAME = 1152  # samples
PREVIEW_CODECS = {
    # LAME's quickest: a preview costs a few percent of a job. Coding the sides alike would cost a third more.
    "mp3": PreviewCodec(
        "mp3",
        "libmp3lame",
        "fltp",
        "audio/mpeg",
        17_000,
        128_000,
        2 * MPEG_FRAME,
        {"compression_level": "9", "joint_stereo": "0"},
    ),
    "flac": PreviewCodec("flac", "flac", "s16", "audio/flac", 4 * RATE),
}


class PreviewWriter:
    """Writes a pack piece by piece from stems at `rate` Hz; stems of one of `channels` are the mean of two.

    `close` ends its threads. Raises `av.FFmpegError` and `OSError`.
    """

    def __init__(self, path: Path, stems: Sequence[str], rate: int, codec: str, channels: int, threads: int) -> None:
        self._codec, self._name, self._stems, self._channels = PREVIEW_CODECS[codec], codec, tuple(stems), channels
        self._converters = [RateConverter(rate, RATE) for _ in stems]
        silence = np.zeros((self._codec.roll, 2), np.float32)
        self._waiting = [[silence] for _ in stems]
        self._held = self._codec.roll  # samples that wait, of each stem
        self._frames = 0
        self._sizes: list[list[int]] = []
        self._at_work: deque[list[Future[bytes]]] = deque()
        self._file = path.open("wb")
        self._threads = ThreadPoolExecutor(threads, "preview")

    def __enter__(self) -> PreviewWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._file.close()

    def write(self, pieces: Sequence[Sound]) -> None:
        """Add the next samples [n, 2] of each stem, in the stems' order."""
        self._add([converter.convert(piece) for converter, piece in zip(self._converters, pieces, strict=True)])

    def finish(self, index: Path) -> None:
        """Write the last segments, and the index."""
        self._add([converter.finish() for converter in self._converters])
        self._add([np.zeros((self._codec.roll, 2), np.float32)] * len(self._stems))
        self._frames -= self._codec.roll
        if self._held > 2 * self._codec.roll:
            self._encode(self._held)
        while self._at_work:
            self._store()
        self._file.flush()
        index.write_text(json.dumps(self._index(), ensure_ascii=False, separators=(",", ":")), encoding="utf-8")

    def _add(self, pieces: Sequence[Sound]) -> None:
        for waiting, piece in zip(self._waiting, pieces, strict=True):
            waiting.append(piece)
        self._held += len(pieces[0])
        self._frames += len(pieces[0])
        while self._held >= SEGMENT + 2 * self._codec.roll:
            self._encode(SEGMENT + 2 * self._codec.roll)

    def _encode(self, count: int) -> None:
        """Have the first `count` samples that wait encoded; those of the roll wait on for the next segment."""
        if len(self._at_work) == AHEAD:
            self._store()
        jobs = []
        for number, waiting in enumerate(self._waiting):
            samples = np.concatenate(waiting)
            self._waiting[number] = [samples[SEGMENT:]]
            jobs.append(self._threads.submit(encode_segment, samples[:count], self._codec, self._channels))
        self._held = max(0, self._held - SEGMENT)
        self._at_work.append(jobs)

    def _store(self) -> None:
        files = [each.result() for each in self._at_work.popleft()]
        self._sizes.append([len(each) for each in files])
        self._file.writelines(files)

    def _index(self) -> dict[str, object]:
        return {
            "version": 1,
            "codec": self._name,
            "content_type": self._codec.content_type,
            "sample_rate": RATE,
            "channels": self._channels,
            "frames": self._frames,
            "segment_frames": SEGMENT,
            "roll_frames": self._codec.roll,
            "stems": self._stems,
            "segments": self._sizes,
        }


def encode_segment(samples: Sound, codec: PreviewCodec, channels: int) -> bytes:
    """A file of samples [n, 2] at 44.1 kHz."""
    if channels == 1:
        samples = samples.mean(axis=1, keepdims=True, dtype=np.float32)
    planar = codec.sample_format.endswith("p")
    data, _ = quantise(samples, None if planar else "16")
    with io.BytesIO() as file:
        # without ID3: its tags would be as many as there are segments
        with av.open(file, "w", format=codec.container, options={"id3v2_version": "0"} if planar else {}) as container:
            stream = cast(AudioStream, container.add_stream(codec.encoder, rate=RATE, options=codec.options))
            stream.layout, stream.format = LAYOUTS[channels], codec.sample_format
            if codec.bit_rate:
                stream.bit_rate = codec.bit_rate * channels // 2
            shaped = np.ascontiguousarray(data.T if planar else data.reshape(1, -1))
            frame = AudioFrame.from_ndarray(shaped, format=codec.sample_format, layout=LAYOUTS[channels])
            frame.sample_rate, frame.pts = RATE, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return file.getvalue()
