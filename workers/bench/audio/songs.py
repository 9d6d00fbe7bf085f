"""Songs with known tempo, beats, key and chords, rendered from seeds in four settings.

`own` is the demo's renderer, `desk` the same through a mixing desk with drums played loosely, `sampled` General MIDI by
FluidSynth and Debian's soundfonts, `held-out` by a soundfont that nothing here was tuned on. The last three are made by
`training`, which lies in the repository and not in the package; the last two need Debian's FluidSynth and soundfonts.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemsvc.demo.render import STEMS, render_song
from stemsvc.demo.score import MAJOR, MINOR, PROGRESSIONS, Score, write_score
from stemsvc.demo.voices import RATE

Sound = NDArray[np.float32]
BEATS = 4  # of a bar: the composer writes no other


@dataclass(frozen=True)
class Truth:
    """What a song was composed with. `chords` are start, end, root and quality: 0 major, 1 minor, None any other."""

    bpm: float
    tonic: int
    minor: bool
    chords: tuple[tuple[float, float, int, int | None], ...]
    beats: tuple[float, ...]

    @property
    def downbeats(self) -> tuple[float, ...]:
        """Each bar's first beat."""
        return self.beats[::BEATS]

    @property
    def home(self) -> bool:
        """Whether the tonic's triad sounds. Two of the composer's twelve progressions go round it: the key that is
        heard is the relative one then, as well.
        """
        return any((root, quality) == (self.tonic, int(self.minor)) for _, _, root, quality in self.chords)


@dataclass(frozen=True)
class Song:
    """A rendered song at `RATE`: its setting, its seed, its mixture [frames, 2], its stems [2, frames], the notes that
    were played, and its truth."""

    setting: str
    seed: int
    mixture: Sound
    stems: dict[str, Sound]
    score: Score
    truth: Truth


def truth(seed: int, seconds: float) -> Truth:
    """What `write_score` draws first for that seed."""
    rng = np.random.default_rng(seed)
    bpm, tonic = float(rng.uniform(72, 148)), int(rng.integers(0, 12))
    scale = MAJOR if rng.random() < 0.5 else MINOR
    degrees = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    assert write_score(np.random.default_rng(seed), 1.0).tempo == bpm  # or the composer has changed
    bar = BEATS * 60 / bpm
    chords = []
    for number in range(int(np.ceil(seconds / bar))):
        root, third, fifth = (_pitch(scale, degrees[number % len(degrees)] + step) for step in (0, 2, 4))
        quality = {(4, 7): 0, (3, 7): 1}.get((third - root, fifth - root))
        chords.append((number * bar, min(seconds, (number + 1) * bar), (tonic + root) % 12, quality))
    beats = tuple(np.arange(0, seconds, 60 / bpm).tolist())
    return Truth(bpm, tonic, scale is MINOR, tuple(chords), beats)


def _pitch(scale: tuple[int, ...], degree: int) -> int:
    return scale[degree % 7] + 12 * (degree // 7)


@dataclass(frozen=True)
class Played:
    """The notes that a renderer played, and what they sound like by stem, [2, frames] each."""

    score: Score
    stems: dict[str, Sound]


Render = Callable[[int, float], Played]


def settings() -> dict[str, Render]:
    """The renderers that this machine has."""
    found: dict[str, Render] = {"own": _own}
    try:
        from workers.bench.rendered.fonts import HELD_OUT_FONT, TRAINING_FONTS
    except ModuleNotFoundError:  # an installed package, not a checkout
        return found
    found["desk"] = _desk
    fonts = tuple(font for font in TRAINING_FONTS if font.player == "fluidsynth" and font.path.exists())
    if shutil.which("fluidsynth"):
        if any(not font.drums_only for font in fonts):
            found["sampled"] = lambda seed, seconds: _sampled(seed, seconds, fonts)
        if HELD_OUT_FONT.path.exists():
            found["held-out"] = lambda seed, seconds: _sampled(seed, seconds, (HELD_OUT_FONT,))
    return found


def songs(first_seed: int, count: int, seconds: float) -> Iterator[Song]:
    """`count` songs by seeds from `first_seed` on; the settings take turns."""
    known = list(settings().items())
    for number in range(count):
        setting, render = known[number % len(known)]
        seed = first_seed + 1000 * (number % len(known)) + number // len(known)
        played = render(seed, seconds)
        mixture = np.sum([played.stems[stem] for stem in STEMS], axis=0, dtype=np.float32).T
        mixture = mixture * np.float32(0.9 / max(1e-6, float(np.abs(mixture).max())))
        yield Song(setting, seed, np.ascontiguousarray(mixture), played.stems, played.score, truth(seed, seconds))


def _own(seed: int, seconds: float) -> Played:
    return Played(write_score(np.random.default_rng(seed), seconds), render_song(seed, seconds))


def _loose(rng: np.random.Generator, score: Score) -> Score:
    """The score with drums as people play them. Parts with pitches stay: transposed, they would be other chords."""
    from workers.bench.rendered.performance import perform

    played = perform(rng, copy.deepcopy(score))
    score.drums = played.drums
    return score


def _desk(seed: int, seconds: float) -> Played:
    from stemsvc.demo.render import place, play_kit, play_voice
    from stemsvc.demo.singer import sing
    from workers.bench.rendered.band import level
    from workers.bench.rendered.effects import treat

    rng = np.random.default_rng(seed)
    score = _loose(rng, write_score(rng, seconds))
    total = int(seconds * RATE)
    parts = zip(score.other_roles, score.other, strict=True)
    other = [place(rng, play_voice(rng, role, notes, total), spread=0.6) for role, notes in parts]
    stems = {
        "drums": play_kit(rng, score, total),
        "bass": place(rng, play_voice(rng, "bass", score.bass, total), spread=0.05),
        "other": np.asarray(np.sum([level(each) for each in other], axis=0), np.float32),
        "vocals": place(rng, sing(rng, score.vocals, seconds), spread=0.15),
    }
    return Played(score, _mixed(rng, {stem: level(treat(rng, stem, sound)) for stem, sound in stems.items()}))


def _sampled(seed: int, seconds: float, fonts: tuple[Any, ...]) -> Played:
    from workers.bench.rendered.band import BASSES, CHOIRS, OTHERS, level
    from workers.bench.rendered.fonts import play_events
    from workers.bench.rendered.performance import DRUM_KEYS, drum_keys

    rng = np.random.default_rng(seed)
    score = _loose(rng, write_score(rng, seconds))
    melodic = [font for font in fonts if not font.drums_only]
    kit = fonts[rng.integers(len(fonts))]

    def play(notes: list[Any], programs: tuple[int, ...]) -> Sound:
        events = [(note.start, note.start + note.duration, note.pitch, note.velocity) for note in notes]
        font = melodic[rng.integers(len(melodic))]
        return level(play_events(font, events, int(rng.choice(programs)), seconds))

    events = drum_keys(rng, score.drums)
    stems = {
        "drums": level(play_events(kit, events, int(rng.choice(kit.kits)), seconds, drums=True)),
        "bass": play(score.bass, BASSES),
        "other": np.asarray(np.sum([play(part, OTHERS) for part in score.other], axis=0), np.float32),
        "vocals": play(score.vocals, CHOIRS),
    }
    # hand percussion plays some drums of some songs; of what is shaken and rattled, transcriptions know one drum
    drums = [
        hit if event[2] in DRUM_KEYS[hit.drum] else replace(hit, drum="shaker")
        for hit, event in zip(score.drums, events, strict=True)
    ]
    return Played(replace(score, drums=drums), _mixed(rng, stems))


def _mixed(rng: np.random.Generator, stems: dict[str, Sound]) -> dict[str, Sound]:
    return {stem: sound * np.float32(10 ** (rng.normal(0, 3) / 20)) for stem, sound in stems.items()}
