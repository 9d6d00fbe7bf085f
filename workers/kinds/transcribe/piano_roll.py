"""A picture of the notes, as PNG: time to the right, pitch upwards, a colour for each stem, a strip for drums."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.audio.tempo_map import TempoMap
from workers.audio.track import scratch_errors
from workers.kinds.transcribe.instruments import DRUM_CHANNEL
from workers.kinds.transcribe.midi import Part

PIXELS_A_SECOND, LEAST_WIDTH, MOST_WIDTH = 50, 400, 12_000  # a long track is drawn narrower, never wider
ROW, MARGIN = 6, 2  # pixels of a semitone, semitones around the notes
EMPTY, BLACK_KEY, BEAT, BAR = range(4)
GROUND = ((250, 250, 252), (238, 239, 244), (225, 226, 234), (176, 179, 196))
# Colours that people with any common colour vision tell apart: Okabe and Ito (2008).
INKS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0), (80, 80, 80))
BLACK_KEYS = (1, 3, 6, 8, 10)
Picture = NDArray[np.uint8]


def write_piano_roll(path: Path, parts: Sequence[Part], tempo: TempoMap, seconds: float) -> None:
    """Write the picture. Raises `TransientError` `scratch_full`."""
    with scratch_errors():
        path.write_bytes(png(draw(parts, tempo, seconds), [*GROUND, *INKS]))


def draw(parts: Sequence[Part], tempo: TempoMap, seconds: float) -> Picture:
    """Indices of colours [height, width]."""
    pitched = [part for part in parts if part.channel != DRUM_CHANNEL and len(part.notes)]
    struck = sorted({int(key) for part in parts if part.channel == DRUM_CHANNEL for key in part.notes["pitch"]})
    lowest = min((int(part.notes["pitch"].min()) for part in pitched), default=60) - MARGIN
    highest = max((int(part.notes["pitch"].max()) for part in pitched), default=72) + MARGIN
    rows = {pitch: highest - pitch for pitch in range(lowest, highest + 1)}
    keys = {key: len(rows) + 1 + at for at, key in enumerate(reversed(struck))}
    width = int(np.clip(seconds * PIXELS_A_SECOND, LEAST_WIDTH, MOST_WIDTH))
    scale = width / max(seconds, 1e-3)
    picture: Picture = np.full(((len(rows) + (len(keys) + 1 if keys else 0)) * ROW, width), EMPTY, np.uint8)
    for pitch, row in rows.items():
        if pitch % 12 in BLACK_KEYS:
            picture[row * ROW : (row + 1) * ROW] = BLACK_KEY
    _draw_lines(picture, tempo, seconds, scale)
    for number, part in enumerate(parts):
        places, ink = keys if part.channel == DRUM_CHANNEL else rows, len(GROUND) + number % len(INKS)
        for note in part.notes:
            top = places[int(note["pitch"])] * ROW
            first = int(float(note["start"]) * scale)
            last = max(first + 1, int(float(note["end"]) * scale))
            picture[top + 1 : top + ROW, first:last] = ink
    return picture


def _draw_lines(picture: Picture, tempo: TempoMap, seconds: float, scale: float) -> None:
    """Beats, where they are far enough apart to be seen, and bars."""
    per_beat = scale * 60 / tempo.bpm
    for wanted, apart, colour in ((1, per_beat, BEAT), (tempo.beats_per_bar, per_beat * tempo.beats_per_bar, BAR)):
        if apart < 4:
            continue
        beat = tempo.pickup % wanted
        while (at := int(tempo.seconds_at(beat) * scale)) < picture.shape[1] and beat < 1e6:
            picture[:, at] = colour
            beat += wanted


def png(picture: Picture, colours: Sequence[tuple[int, int, int]]) -> bytes:
    """A PNG of a picture of indices: eight bits, a palette (W3C, PNG third edition, sections 5 and 11)."""
    height, width = picture.shape
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), picture], axis=1).tobytes()
    chunks = (
        (b"IHDR", head),
        (b"PLTE", bytes(value for colour in colours for value in colour)),
        (b"IDAT", zlib.compress(lines, 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
