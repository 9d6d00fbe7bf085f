"""Spoken words sung: the spectral envelope of speech shapes a harmonic source that follows a melody."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.signal import istft, stft

from stemsvc.demo.score import Note
from stemsvc.demo.singer import CONTROL, contours
from stemsvc.demo.voices import RATE, Sound

WINDOW, HOP = 2048, 441
SILENT = -45.0  # dB below the loudest frame


def sing_words(rng: np.random.Generator, speech: Sound, notes: list[Note], seconds: float) -> Sound:
    """Sing `notes` with the syllables of `speech` one after another; mono float32 [seconds * RATE]."""
    total = int(seconds * RATE)
    envelope, voiced = _analyse(speech)
    frames = total // HOP + 2
    source = _source(rng, notes, total)
    spectrum = _stft(source, frames)
    hiss = _stft(rng.normal(0, 1, total).astype(np.float32), frames)
    chosen = _align(rng, _syllables(envelope), notes, frames)
    present = chosen >= 0
    gains, tone = envelope[:, chosen], voiced[chosen] * present
    shaped = gains * (spectrum * tone + 0.05 * hiss * (present * (1 - tone)))
    _, sound = istft(shaped, RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)
    out = np.zeros(total, np.float32)
    out[: len(sound)] = sound[:total]
    return out / np.float32(max(1e-6, float(np.abs(out).max())))


def _stft(sound: Sound, frames: int) -> np.ndarray:
    spectrum = stft(sound, RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)[2]
    return np.pad(spectrum, ((0, 0), (0, max(0, frames - spectrum.shape[1]))))[:, :frames]


def _analyse(speech: Sound) -> tuple[np.ndarray, np.ndarray]:
    """Envelope [bins, frames] by the lowest cepstral coefficients, and how voiced each frame is, 0..1."""
    magnitude = np.abs(stft(speech, RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)[2]) + 1e-5
    cepstrum = np.fft.irfft(np.log(magnitude), axis=0)
    keep = 90  # 2 ms: below the period of most voices
    cepstrum[keep:-keep] = 0
    envelope = np.exp(np.fft.rfft(cepstrum, axis=0).real)
    low = int(3000 / RATE * WINDOW)
    share = (magnitude[:low] ** 2).sum(axis=0) / (magnitude**2).sum(axis=0)
    return envelope, np.clip((share - 0.3) / 0.3, 0, 1)


def _syllables(envelope: np.ndarray) -> list[tuple[int, int]]:
    """Runs of frames between dips of the level."""
    level = 20 * np.log10(np.sqrt((envelope**2).mean(axis=0)) + 1e-9)
    level = np.convolve(np.pad(level, 4, "edge"), np.hanning(9) / np.hanning(9).sum(), "valid")
    dips = [i for i in range(3, len(level) - 3) if level[i] == level[i - 3 : i + 4].min()]
    edges = [0, *dips, len(level)]
    loud = level.max() + SILENT
    found = [(a, b) for a, b in pairwise(edges) if b - a > 5 and level[a:b].max() > loud]
    return found or [(0, len(level))]


def _align(rng: np.random.Generator, syllables: list[tuple[int, int]], notes: list[Note], frames: int) -> np.ndarray:
    """The frame of the speech that sounds in each frame of the song, -1 for none. Vowels are held, not consonants."""
    chosen = np.full(frames, -1)
    at = int(rng.integers(len(syllables)))
    for note in notes:
        first, last = int(note.start * RATE / HOP), min(frames, int((note.start + note.duration) * RATE / HOP))
        if last - first < 3:
            continue
        a, b = syllables[at % len(syllables)]
        time = np.linspace(0, 1, last - first)
        # the middle third of the syllable takes most of the note
        chosen[first:last] = a + np.interp(time, [0, 0.2, 0.85, 1], [0, 0.35, 0.65, 0.999]) * (b - a)
        at += 1
    return chosen


def _source(rng: np.random.Generator, notes: list[Note], total: int) -> Sound:
    """A train of band-limited pulses on the melody, with vibrato and glides."""
    pitch, level, _ = contours(rng, notes, total // CONTROL + 2)
    at = np.arange(total) / CONTROL
    f0 = np.interp(at, np.arange(len(pitch)), pitch)
    phase = np.cumsum(f0) / RATE
    wraps = np.flatnonzero(np.diff(np.floor(phase)) > 0)
    late = (phase[wraps + 1] % 1) / (f0[wraps + 1] / RATE)  # samples since the wrap, 0..1
    out = np.zeros(total + 2, np.float32)
    strength = np.sqrt(RATE / f0[wraps + 1])
    np.add.at(out, wraps + 1, (strength * (1 - late)).astype(np.float32))
    np.add.at(out, wraps, (strength * late).astype(np.float32))
    return np.asarray(out[:total] * np.interp(at, np.arange(len(level)), level), np.float32)
