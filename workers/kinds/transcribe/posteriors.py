"""Spotify's Basic Pitch (Bittner et al., ICASSP 2022): how likely each pitch sounds, and begins, in each frame.

The network is `models/basic_pitch.onnx`, the file `nmp.onnx` of the wheel basic_pitch 0.4.0, unchanged, under the
Apache License 2.0; its licence and notice lie beside it. OpenVINO runs it.
"""

from __future__ import annotations

import numpy as np

from workers.audio.mono import HOP, Sound
from workers.kinds.transcribe.features import PITCHES, Grid
from workers.kinds.transcribe.networks import network

FILE = "basic_pitch.onnx"
SHA256 = "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec"
WINDOW = 43_844  # samples that the network takes
FRAMES = 172  # that it gives for them
EDGE = 15  # frames at each end of a window that lack context
STEP = FRAMES - 2 * EDGE
ONSET, NOTE, CONTOUR = 0, 1, 2  # its outputs; a contour has three bins for each pitch
CHANNELS = 5


def posteriors(sound: Sound, start: int, count: int) -> Grid:
    """[CHANNELS, count, PITCHES] of the frames from `start` on: notes, onsets, and the contours' three bins."""
    found = np.empty((CHANNELS, count, PITCHES), np.float32)
    run = network(FILE, SHA256, (1, WINDOW, 1))
    starts = range(0, count, STEP)
    firsts = [(start + at - EDGE) * HOP for at in starts]
    windows = [sound.read(first, first + WINDOW).reshape(1, WINDOW, 1) for first in firsts]
    for at, given in zip(starts, run(windows), strict=True):
        taken, there = slice(EDGE, EDGE + min(STEP, count - at)), slice(at, min(at + STEP, count))
        found[0, there] = given[NOTE][0, taken]
        found[1, there] = given[ONSET][0, taken]
        found[2:, there] = given[CONTOUR][0, taken].reshape(-1, PITCHES, 3).transpose(2, 0, 1)
    return found
