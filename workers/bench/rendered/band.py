"""Songs by many renderers: drawn players of drums, bass, other instruments and voices, each through a mixing desk.

`render_wide_song` plays the training songs. `render_held_out_song` plays with a soundfont and with voices that training
never hears.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stemsvc.demo.render import STEMS, place, play_kit, play_voice
from stemsvc.demo.score import Note, Score, write_score
from stemsvc.demo.singer import sing
from stemsvc.demo.voices import RATE, Sound
from workers.bench.rendered.effects import treat
from workers.bench.rendered.fonts import HELD_OUT_FONT, KITS, TRAINING_FONTS, Font, play_events
from workers.bench.rendered.performance import drum_keys, perform
from workers.bench.rendered.speech import Speaker
from workers.bench.rendered.vocoder import sing_words

# General MIDI programs, 0-based
BASSES = (*range(32, 40), *range(32, 40), 43, 58, 87)
CHOIRS = (52, 53, 54, 85, 91)
OTHERS = tuple(p for p in range(112) if p not in (*BASSES, *CHOIRS))
LEVEL = 0.1  # RMS of a stem where it sounds


def render_wide_song(seed: int, seconds: float) -> dict[str, Sound]:
    """A training song: {stem: float32 [2, samples] at 44.1 kHz}, each stem at the same level."""
    return _render(np.random.default_rng(seed), seconds, TRAINING_FONTS, held_out=False)


def render_held_out_song(seed: int, seconds: float) -> dict[str, Sound]:
    """A song by the held-out soundfont and voices, mixed: {stem: float32 [2, samples] at 44.1 kHz}."""
    rng = np.random.default_rng(seed)
    stems = _render(rng, seconds, (HELD_OUT_FONT,), held_out=True)
    mixed = {stem: stems[stem] * np.float32(10 ** (rng.normal(0, 3) / 20)) for stem in STEMS}
    peak = float(np.abs(np.sum(list(mixed.values()), axis=0)).max())
    return {stem: sound * np.float32(0.9 / max(peak, 1e-6)) for stem, sound in mixed.items()}


def _render(rng: np.random.Generator, seconds: float, fonts: tuple[Font, ...], *, held_out: bool) -> dict[str, Sound]:
    score = perform(rng, write_score(rng, seconds))
    stems = {
        "drums": _drums(rng, score, fonts, held_out),
        "bass": _bass(rng, score, fonts, held_out),
        "other": _other(rng, score, fonts, held_out),
        "vocals": _vocals(rng, score, fonts, held_out),
    }
    return {stem: level(treat(rng, stem, sound)) for stem, sound in stems.items()}


def level(sound: Sound) -> Sound:
    """Set the level of what sounds, silence left out, to `LEVEL`."""
    power = (sound**2).mean(axis=0)
    blocks = power[: len(power) // 2205 * 2205].reshape(-1, 2205).mean(axis=1)
    loud = blocks[blocks > 1e-3 * max(float(blocks.max()), 1e-10)]
    return sound * np.float32(LEVEL / np.sqrt(loud.mean() + 1e-10)) if len(loud) else sound


def _drums(rng: np.random.Generator, score: Score, fonts: tuple[Font, ...], held_out: bool) -> Sound:
    if not held_out and rng.random() < 0.15:
        return play_kit(rng, score, int(score.seconds * RATE))
    if not held_out and rng.random() < 0.5:  # most fonts have one kit, so by the font alone the others are rare
        kit = int(rng.choice(KITS))
        able = [font for font in fonts if kit in font.kits]
        font = able[rng.integers(len(able))]
    else:
        font = fonts[rng.integers(len(fonts))]
        kit = int(rng.choice(font.kits))
    return play_events(font, drum_keys(rng, score.drums), kit, score.seconds, drums=True)


def _bass(rng: np.random.Generator, score: Score, fonts: tuple[Font, ...], held_out: bool) -> Sound:
    if not held_out and rng.random() < 0.3:
        return _layered(rng, "bass", score.bass, score)
    return _sampled(rng, _melodic(rng, fonts), score.bass, int(rng.choice(BASSES[:8] if held_out else BASSES)), score)


def _other(rng: np.random.Generator, score: Score, fonts: tuple[Font, ...], held_out: bool) -> Sound:
    out = np.zeros((2, int(score.seconds * RATE)), np.float32)
    for role, notes in zip(score.other_roles, score.other, strict=True):
        if not held_out and rng.random() < 0.3:
            sound = _layered(rng, role, notes, score)
        else:
            sound = _sampled(rng, _melodic(rng, fonts), notes, int(rng.choice(OTHERS)), score)
        pan = np.float32(np.clip(rng.normal(0, 0.4), -0.9, 0.9))
        out += level(sound) * np.array([[1 - pan], [1 + pan]], np.float32) * np.float32(rng.uniform(0.4, 1))
    return out


def _vocals(rng: np.random.Generator, score: Score, fonts: tuple[Font, ...], held_out: bool) -> Sound:
    kind = rng.random()
    if held_out:
        return place(rng, (_sung if kind < 0.5 else _spoken)(rng, score, held_out), spread=0.12)
    if kind < 0.05:
        return _sampled(rng, _melodic(rng, fonts), score.vocals, int(rng.choice(CHOIRS)), score)
    if kind < 0.15:
        return place(rng, sing(rng, score.vocals, score.seconds), spread=0.15)
    sound = place(rng, (_sung if kind < 0.6 else _spoken)(rng, score, held_out), spread=0.12)
    if rng.random() < 0.2:  # a second voice
        sound = sound + np.float32(rng.uniform(0.2, 0.8)) * place(rng, _sung(rng, score, held_out), spread=0.5)
    return sound


def _sung(rng: np.random.Generator, score: Score, held_out: bool) -> Sound:
    speech = Speaker(rng, held_out=held_out).say(rng, 24)
    return sing_words(rng, speech, score.vocals, score.seconds)


def _spoken(rng: np.random.Generator, score: Score, held_out: bool) -> Sound:
    """Phrases of speech with rests between them; the melody does not matter."""
    speaker = Speaker(rng, held_out=held_out)
    out = np.zeros(int(score.seconds * RATE), np.float32)
    at = int(rng.uniform(0, 2) * RATE)
    while at < len(out):
        phrase = speaker.say(rng, int(rng.integers(3, 12)))
        out[at : at + len(phrase)] += phrase[: len(out) - at]
        at += len(phrase) + int(rng.exponential(0.8) * RATE)
    return out


def _melodic(rng: np.random.Generator, fonts: tuple[Font, ...]) -> Font:
    melodic = [font for font in fonts if not font.drums_only]
    return melodic[rng.integers(len(melodic))]


def _sampled(rng: np.random.Generator, font: Font, notes: list[Note], program: int, score: Score) -> Sound:
    events = [(n.start, n.start + n.duration, n.pitch, n.velocity) for n in notes]
    return play_events(font, events, program, score.seconds)


def _layered(rng: np.random.Generator, role: str, notes: list[Note], score: Score) -> Sound:
    """One to three synthetic voices on the same notes, detuned against each other, across the stereo field."""
    total = int(score.seconds * RATE)
    out = np.zeros((2, total), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        octave = 0 if role == "bass" else int(rng.choice([-12, 0, 0, 0, 12]))
        shifted = [replace(note, pitch=note.pitch + octave) for note in notes]
        sound = play_voice(rng, role, shifted, total, detune=float(rng.normal(0, 0.08)))
        out += place(rng, sound * np.float32(rng.uniform(0.3, 1)), spread=0.05 if role == "bass" else 0.6)
    return out
