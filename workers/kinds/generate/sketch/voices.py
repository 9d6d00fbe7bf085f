"""Pitched instruments, by wavetables: a bright and a dark cycle, between which a note moves as it dies away.

The harmonics of a cycle fall by so many dB an octave; formants shape them for voices (centres after Peterson and
Barney, 1952). All harmonics stay below 16 kHz, so nothing aliases.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 44100
TABLE = 2048  # samples of a cycle
HIGHEST = 16000.0  # Hz
CUT = 9.2  # time constants after which an exponential is 80 dB down
Sound = NDArray[np.float32]
_AH = ((730.0, 110.0, 1.0), (1090.0, 130.0, 0.55), (2440.0, 180.0, 0.25), (3300.0, 260.0, 0.12))
_OO = ((350.0, 90.0, 1.0), (800.0, 110.0, 0.35), (2300.0, 200.0, 0.08), (3200.0, 260.0, 0.05))


@dataclass(frozen=True)
class Voice:
    """An instrument. Tilts are in dB an octave, times in seconds, `sustain` and `even` are levels from 0 to 1.

    `close` is how soon a note turns from the bright cycle into the dark one; 0: it stays bright. `copies` are `detune`
    cents apart, from left to right. `fall` is from how many semitones above a note begins. `noise` is the level of the
    stroke's noise, `breath` of that which stays.
    """

    bright: float
    dark: float = 12.0
    close: float = 0.0
    attack: float = 0.004
    decay: float = 0.6
    sustain: float = 0.0
    release: float = 0.08
    even: float = 1.0
    copies: int = 1
    detune: float = 0.0
    vibrato: float = 0.0  # cents
    fall: float = 0.0
    drive: float = 0.0
    noise: float = 0.0
    breath: float = 0.0
    octave: int = 0
    formants: tuple[tuple[float, float, float], ...] = ()


VOICES: dict[str, Voice] = {
    "sub808": Voice(16, 30, 0.25, 0.002, 0.9, 0.35, 0.12, fall=7, drive=0.8, noise=0.03),
    "subbass": Voice(15, 24, 0.2, 0.006, 1.2, 0.6, 0.06, drive=0.3),
    "fingerbass": Voice(8, 18, 0.18, 0.004, 0.9, 0.35, 0.05, drive=0.3, noise=0.05),
    "upright": Voice(10, 20, 0.12, 0.006, 0.8, 0.12, 0.12, noise=0.06),
    "synthbass": Voice(6, 16, 0.12, 0.003, 0.4, 0.45, 0.04, copies=2, detune=5, drive=0.4),
    "acidbass": Voice(5, 20, 0.09, 0.002, 0.25, 0.3, 0.03, drive=1.0),
    "reese": Voice(7, 10, 0.5, 0.006, 1.0, 0.8, 0.05, copies=3, detune=14, drive=0.6),
    "lowstrings": Voice(8, 10, 0.6, 0.05, 1.5, 0.8, 0.18, copies=3, detune=6, vibrato=6),
    "piano": Voice(7, 15, 0.5, 0.002, 1.3, 0.0, 0.12, copies=2, detune=1.2, noise=0.02),
    "epiano": Voice(12, 22, 0.35, 0.003, 1.4, 0.15, 0.15, copies=2, detune=2.5, vibrato=3, noise=0.01),
    "organ": Voice(8, 8, 0.0, 0.008, 1.0, 0.95, 0.04, copies=2, detune=3, vibrato=8),
    "warmpad": Voice(11, 15, 1.0, 0.25, 2.0, 0.8, 0.5, copies=3, detune=9, vibrato=4),
    "darkpad": Voice(13, 19, 0.8, 0.12, 2.0, 0.7, 0.4, copies=3, detune=10),
    "strings": Voice(7.5, 9, 0.8, 0.07, 2.0, 0.85, 0.25, copies=3, detune=8, vibrato=7),
    "brass": Voice(6, 11, 0.3, 0.03, 0.8, 0.7, 0.09, copies=2, detune=4, vibrato=6),
    "saws": Voice(5.5, 9, 0.6, 0.012, 1.2, 0.75, 0.2, copies=4, detune=16),
    "stab": Voice(5.5, 16, 0.08, 0.002, 0.28, 0.1, 0.08, copies=3, detune=10),
    "clean": Voice(8, 18, 0.25, 0.002, 0.7, 0.05, 0.06, copies=2, detune=3, noise=0.05),
    "crunch": Voice(6, 8, 0.5, 0.003, 1.5, 0.8, 0.04, copies=2, detune=6, drive=2.5, noise=0.03),
    "nylon": Voice(9, 20, 0.18, 0.002, 0.8, 0.0, 0.1, noise=0.05),
    "steel": Voice(6.5, 16, 0.3, 0.002, 1.0, 0.0, 0.08, copies=2, detune=3, noise=0.07),
    "bell": Voice(10, 24, 0.2, 0.001, 1.1, 0.0, 0.5, even=0.15, copies=2, detune=4),
    "pluck": Voice(6, 18, 0.08, 0.001, 0.35, 0.0, 0.15, copies=2, detune=7),
    "square": Voice(6, 10, 0.3, 0.004, 0.8, 0.6, 0.08, even=0.0, copies=2, detune=6, vibrato=8),
    "saw": Voice(5.5, 8, 0.5, 0.006, 1.0, 0.75, 0.12, copies=3, detune=9, vibrato=8),
    "ah": Voice(5, 8, 0.4, 0.045, 1.2, 0.85, 0.1, vibrato=22, breath=0.012, formants=_AH),
    "oo": Voice(5, 7, 0.5, 0.06, 1.2, 0.85, 0.14, vibrato=20, breath=0.014, formants=_OO),
    "choir": Voice(5, 7, 0.8, 0.14, 2.0, 0.9, 0.35, copies=3, detune=9, vibrato=14, breath=0.01, formants=_AH),
}


def hertz(pitch: float) -> float:
    """Frequency of a MIDI pitch; A4 is 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def play(name: str, pitch: int, length: float, velocity: float) -> Sound:
    """A note [samples, 2] that is held for `length` seconds and then dies away, at about the velocity's level."""
    voice = VOICES[name]
    frequency = hertz(pitch + 12 * voice.octave)
    curve = _curve(voice, length, frequency)
    time = np.arange(len(curve), dtype=np.float32) / np.float32(RATE)
    closing = np.exp(-time / np.float32(voice.close)) if voice.close else np.ones_like(time)
    bright, dark = _tables(name, pitch)
    out = np.zeros((len(curve), 2), np.float32)
    for copy in range(voice.copies):
        place = 0.0 if voice.copies == 1 else 2 * copy / (voice.copies - 1) - 1
        phase = _phase(voice, frequency * 2 ** (place * voice.detune / 1200), time, copy)
        cycle = _read(dark, phase)
        cycle += closing * (_read(bright, phase) - cycle)
        out[:, 0] += cycle * np.float32(1 - 0.6 * place)
        out[:, 1] += cycle * np.float32(1 + 0.6 * place)
    out *= np.float32(1 / voice.copies)
    if voice.drive:
        out = np.tanh(out * np.float32(1 + 2 * voice.drive)) * np.float32(1 / (1 + 0.7 * voice.drive))
    out *= curve[:, None]
    _add_noise(voice, out, curve, pitch)
    return out * np.float32(velocity**1.4)


def longest(name: str) -> float:
    """Seconds for which a note of the voice may sound after it was let go."""
    return VOICES[name].release


def _curve(voice: Voice, length: float, frequency: float) -> Sound:
    held = np.arange(max(2, round(length * RATE)), dtype=np.float32) / np.float32(RATE)
    decay = voice.decay * min(1.5, max(0.35, (220 / frequency) ** 0.4)) if voice.sustain < 0.3 else voice.decay
    body = voice.sustain + (1 - voice.sustain) * np.exp(-np.maximum(held - voice.attack, 0) / decay)
    body *= np.minimum(1.0, held / voice.attack)
    tail = np.arange(max(2, round(voice.release * RATE)), dtype=np.float32)
    ending = body[-1] * np.exp(-5.0 * tail / len(tail)) * (1 - tail / len(tail))
    return np.concatenate([body, ending]).astype(np.float32)


def _phase(voice: Voice, frequency: float, time: Sound, copy: int) -> NDArray[np.float64]:
    """Cycles since the note's begin."""
    seconds = time.astype(np.float64)
    phase = frequency * seconds + 0.37 * copy
    if voice.vibrato:
        rate = 5.2 + 0.3 * copy
        depth = frequency * (2 ** (voice.vibrato / 1200) - 1) / (2 * np.pi * rate)
        phase += depth * np.sin(2 * np.pi * rate * seconds) * np.clip((seconds - 0.12) / 0.2, 0, 1)
    if voice.fall:
        phase += frequency * (2 ** (voice.fall / 12) - 1) * 0.02 * (1 - np.exp(-seconds / 0.02))
    return phase


def _read(table: Sound, phase: NDArray[np.float64]) -> Sound:
    at = (phase - np.floor(phase)) * TABLE
    whole = at.astype(np.int32)
    share = (at - whole).astype(np.float32)
    first = table[whole]
    return first + share * (table[whole + 1] - first)


def _add_noise(voice: Voice, out: Sound, curve: Sound, pitch: int) -> None:
    if not (voice.noise or voice.breath):
        return
    hiss = np.random.default_rng(pitch).standard_normal(len(out), np.float32)
    hiss[1:] -= hiss[:-1]  # without its lows
    level = np.float32(voice.breath) * curve
    if voice.noise:
        stroke = min(len(out), round(0.03 * RATE))
        level[:stroke] += np.float32(voice.noise) * np.exp(-np.arange(stroke, dtype=np.float32) / (0.006 * RATE))
    out += (hiss * level)[:, None]


@functools.lru_cache(maxsize=512)
def _tables(name: str, pitch: int) -> tuple[Sound, Sound]:
    """The bright and the dark cycle of a voice at a pitch [TABLE + 1], the dark one as loud as its harmonics are."""
    voice = VOICES[name]
    frequency = hertz(pitch + 12 * voice.octave)
    count = max(1, min(TABLE // 2 - 1, int(HIGHEST / frequency)))
    numbers = np.arange(1, count + 1)
    shape = np.where(numbers % 2 == 0, voice.even, 1.0)
    if voice.formants:
        at = numbers * frequency
        shape = shape * sum(
            level / np.sqrt(1 + ((at - centre) / width) ** 2) for centre, width, level in voice.formants
        )
    bright, dark = (shape * numbers ** (-tilt / 6.02) for tilt in (voice.bright, voice.dark))
    return _cycle(bright, float(np.sqrt((bright**2).sum()))), _cycle(dark, float(np.sqrt((bright**2).sum())))


def _cycle(levels: NDArray[np.float64], power: float) -> Sound:
    spectrum = np.zeros(TABLE // 2 + 1, np.complex128)
    numbers = np.arange(1, len(levels) + 1)
    phases = -np.pi * numbers * (numbers - 1) / max(1, len(levels))  # of Schroeder: no peak stands out
    spectrum[1 : len(levels) + 1] = levels * np.exp(1j * phases)
    cycle = np.fft.irfft(spectrum) * TABLE / 2 / max(1e-9, power) * 0.5
    return np.append(cycle, cycle[0]).astype(np.float32)
