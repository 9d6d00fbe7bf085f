"""The tempo of what several stems play together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import soxr

from workers.audio.analysis import chroma, onsets
from workers.audio.analysis.beats import Beats, find_beats
from workers.audio.analysis.rows import Rows
from workers.audio.mono import HOP, RATE, Sound
from workers.audio.tempo_map import TempoMap, from_beats, steady

BLOCK = 256 * HOP  # samples: 3 s


def find_tempo(sounds: Sequence[Sound], on_tick: Callable[[int, int], None]) -> tuple[TempoMap, Beats]:
    """The map of the sounds' sum, 120 BPM where nothing beats. `on_tick` gets the samples that are done, and all."""
    low = soxr.ResampleStream(RATE, chroma.RATE, 1, dtype="float32")
    samples = max(sound.samples for sound in sounds)
    flux, tones = onsets.OnsetStream(), chroma.ChromaStream()
    curves = Rows(3), Rows(24)
    for start in range(0, samples, BLOCK):
        on_tick(start, samples)
        stop = min(start + BLOCK, samples)
        mixed = np.asarray(np.sum([sound.read(start, stop) for sound in sounds], axis=0), np.float32)
        curves[0].extend(flux.add(mixed))
        curves[1].extend(tones.add(low.resample_chunk(mixed, last=stop == samples)))
    curves[0].extend(flux.finish())
    curves[1].extend(tones.finish())
    beating, harmony = (each.all() for each in curves)
    if not len(beating) or not len(harmony):
        return steady(), Beats()
    found = find_beats(beating, harmony, samples / RATE, lambda: on_tick(0, 0))
    per_bar = int((found.time_signature or "4/4").split("/")[0])
    return (from_beats(found.beats, found.downbeats, per_bar) if found.beats else steady()), found
