"""Render a song from a seed: four true stems and their mixture.

python -m stemsvc.demo.render SEED -o FOLDER
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve

from stemsvc.demo.kit import draw_kit
from stemsvc.demo.score import Note, Score, write_score
from stemsvc.demo.singer import sing
from stemsvc.demo.voices import RATE, Sound, draw_voice, hertz

STEMS = ("drums", "bass", "other", "vocals")
# Loudness of each stem in the mixture, dB RMS: mean and spread.
LEVELS = {"drums": (-20.0, 2.5), "bass": (-20.5, 2.0), "other": (-21.0, 2.5), "vocals": (-19.0, 2.0)}


def render_song(seed: int, seconds: float = 20.0) -> dict[str, Sound]:
    """Render the song of `seed`: {stem: float32 [2, samples] at 44.1 kHz}; the mixture is the sum of the stems."""
    rng = np.random.default_rng(seed)
    score = write_score(rng, seconds)
    sung = place(rng, sing(rng, score.vocals, seconds), spread=0.15)
    return _balance(rng, _synthesise(rng, score, sung))


def _synthesise(rng: np.random.Generator, score: Score, sung: Sound) -> dict[str, Sound]:
    total = int(score.seconds * RATE)
    other = np.zeros((2, total), np.float32)
    for role, notes in zip(score.other_roles, score.other, strict=True):
        sound = play_voice(rng, role, notes, total)
        level = max(1e-4, float(np.sqrt(np.mean(sound**2))))
        other += place(rng, sound / level * np.float32(0.1 * rng.uniform(0.5, 1.0)), spread=0.6)
    return {
        "drums": play_kit(rng, score, total),
        "bass": place(rng, play_voice(rng, "bass", score.bass, total), spread=0.05),
        "other": other,
        "vocals": sung,
    }


def play_voice(rng: np.random.Generator, role: str, notes: list[Note], total: int, *, detune: float = 0.0) -> Sound:
    """Play one part with a voice drawn for `role`, `detune` semitones off: mono [total]."""
    voice = draw_voice(rng, role)
    rendered: dict[tuple[int, float, float], Sound] = {}
    out = np.zeros(total, np.float32)
    for note in notes:
        name = (note.pitch, round(note.duration, 2), round(note.velocity, 1))
        if name not in rendered:
            rendered[name] = voice(hertz(note.pitch + detune), name[1], name[2])
        _add(out, rendered[name], note.start)
    return out


def play_kit(rng: np.random.Generator, score: Score, total: int) -> Sound:
    """Play the drums of a score on a drawn kit: [2, total]."""
    kit = draw_kit(rng)
    pans = {drum: float(rng.normal(0, 0.0 if drum == "kick" else 0.25)) for drum in kit}
    levels = {drum: float(rng.uniform(0.6, 1.2)) for drum in kit}
    levels["kick"] *= 1.8
    for metal in ("hat", "open_hat", "ride", "crash", "shaker"):
        levels[metal] *= 0.35
    out = np.zeros((2, total), np.float32)
    for hit in score.drums:
        sound = kit[hit.drum] * np.float32(hit.velocity * levels[hit.drum])
        left, right = _pan(pans[hit.drum])
        _add(out[0], sound * left, hit.start)
        _add(out[1], sound * right, hit.start)
    return out


def _add(out: Sound, sound: Sound, start: float) -> None:
    first = int(start * RATE)
    if first < len(out):
        part = sound[: len(out) - first]
        out[first : first + len(part)] += part


def _pan(position: float) -> tuple[np.float32, np.float32]:
    """Constant-power gains of left and right for a position from -1 to 1."""
    angle = (np.clip(position, -1, 1) + 1) * np.pi / 4
    return np.float32(np.cos(angle) * np.sqrt(2)), np.float32(np.sin(angle) * np.sqrt(2))


def place(rng: np.random.Generator, sound: Sound, spread: float) -> Sound:
    """Pan a mono part and put it into a short stereo room: [2, samples]."""
    left, right = _pan(float(rng.normal(0, spread)))
    out = np.stack([sound * left, sound * right])
    if rng.random() < 0.7 and spread > 0.1:
        time = np.arange(int(rng.uniform(0.2, 1.2) * RATE)) / RATE
        room = rng.normal(0, 1, (2, len(time))) * np.exp(-6.9 * time / time[-1])
        room /= np.sqrt((room**2).sum(axis=1, keepdims=True))
        wet = fftconvolve(out, room, axes=1)[:, : len(sound)]
        out = out + np.float32(rng.uniform(0.05, 0.3)) * wet
    return out.astype(np.float32)


def _balance(rng: np.random.Generator, stems: dict[str, Sound]) -> dict[str, Sound]:
    """Set each stem's level, then one gain for all that keeps the mixture's peak below full scale."""
    for stem in STEMS:
        level = max(1e-5, float(np.sqrt(np.mean(stems[stem] ** 2))))
        mean, spread = LEVELS[stem]
        target = 10 ** ((mean + float(rng.normal(0, spread))) / 20)
        if rng.random() < 0.5:  # gentle tape-like saturation of the peaks
            stems[stem] = np.tanh(stems[stem] / level * np.float32(0.25)) * np.float32(4 * target)
        else:
            stems[stem] = stems[stem] / level * np.float32(target)
    peak = float(np.abs(sum(stems[stem] for stem in STEMS)).max())
    gain = np.float32(min(1.0, 0.95 / max(peak, 1e-6)))
    return {stem: (stems[stem] * gain).astype(np.float32) for stem in STEMS}


def main(argv: list[str] | None = None) -> int:
    """Write the stems and the mixture of one seed as float32 wav files."""
    from scipy.io import wavfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args(argv)
    options.output.mkdir(parents=True, exist_ok=True)
    stems = render_song(options.seed, options.seconds)
    for name, sound in {**stems, "mixture": sum(stems.values())}.items():
        wavfile.write(options.output / f"{name}.wav", RATE, np.asarray(sound, np.float32).T)
    return 0


if __name__ == "__main__":
    sys.exit(main())
