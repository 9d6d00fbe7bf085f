"""A brief: what a piece will be, with all that was left open filled in.

A field of the request goes before the prompt's words, those before the original of a variation, and that before what
the genre and the seed say.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stemsvc.errors import BadOptions
from stemsvc.kinds.generate.params import (
    CHANGES,
    DEFAULT_SECONDS,
    MAX_BPM,
    MAX_SECONDS,
    MIN_BPM,
    MIN_SECONDS,
    SECTIONS,
    GenerateParams,
)
from stemsvc.music.durations import find_duration
from stemsvc.music.genres import DEFAULT, Genre, find_genre, genres
from stemsvc.music.keys import Key, find_key, read_key
from stemsvc.music.moods import MOODS, Mood, find_mood
from stemsvc.music.tempo import PLACES, STEPS, Tempo, find_tempo

BEATS = 4  # of a bar
CALM = Mood("")  # of a piece without a mood


@dataclass(frozen=True)
class Section:
    """A part of the form: its name, and how many bars it has."""

    name: str
    bars: int


@dataclass(frozen=True)
class Brief:
    """What a piece is. `filled` names what was left open; `changes` has a seed for each part that a variation changes.

    `seed` is that of the harmony and of all parts that `changes` does not name.
    """

    prompt: str
    genre: str
    bpm: float
    key: Key
    mood: str
    duration: float
    seed: int
    form: tuple[Section, ...]
    changes: Mapping[str, int] = field(default_factory=dict)
    filled: tuple[str, ...] = ()

    @property
    def template(self) -> Genre:
        """The template of its genre."""
        return genres()[self.genre]

    @property
    def feeling(self) -> Mood:
        """What its mood asks for."""
        return MOODS.get(self.mood, CALM)

    @property
    def bar_seconds(self) -> float:
        """How long a bar is."""
        return BEATS * 60 / self.bpm

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON; `read_original` reads it back."""
        return {
            "prompt": self.prompt,
            "genre": self.genre,
            "bpm": self.bpm,
            "key": self.key.name,
            "mood": self.mood or None,
            "duration": self.duration,
            "seed": self.seed,
            "form": [{"section": each.name, "bars": each.bars} for each in self.form],
            "changes": dict(self.changes),
            "filled": list(self.filled),
        }

    def again(self, seed: int) -> Brief:
        """The same with another seed for what the seed of the request decides."""
        if self.changes:
            return replace(self, changes=dict.fromkeys(self.changes, seed))
        return replace(self, seed=seed)


def settle(params: GenerateParams, original: Mapping[str, Any] | None = None) -> Brief:
    """The brief of a request; `original` are the facts of the piece that it is a variation of.

    Raises `UsageError` `bad_options` for what can't be.
    """
    said = params.prompt
    before = original or {}
    filled: list[str] = []
    genre = params.genre or find_genre(said) or str(before.get("genre") or "") or _filled(filled, "genre", DEFAULT)
    if genre not in genres():
        raise BadOptions(f"genre {genre!r} is not one of {', '.join(genres())}")
    mood = params.mood or find_mood(said) or str(before.get("mood") or "")
    if mood and mood not in MOODS:
        raise BadOptions(f"mood {mood!r} is not one of {', '.join(MOODS)}")
    template, feeling = genres()[genre], MOODS.get(mood, CALM)
    chosen = random.Random(f"{params.seed} {genre}")
    spoken = find_tempo(said)
    bpm = params.bpm or _said_bpm(spoken, before, template)
    if bpm is None:
        bpm = _filled(filled, "bpm", float(before.get("bpm") or 0) or _bpm(template, feeling, chosen))
    if not MIN_BPM <= bpm <= MAX_BPM:  # NaN, too
        raise BadOptions(f"bpm is {bpm:g}; it may be from {MIN_BPM:g} to {MAX_BPM:g}")
    key = _key(params, before, template, feeling, chosen, filled)
    duration = params.duration or find_duration(said)
    if duration is None:
        duration = _filled(filled, "duration", float(before.get("duration") or DEFAULT_SECONDS))
    if not MIN_SECONDS <= duration <= MAX_SECONDS:
        raise BadOptions(f"duration is {duration:g} s; it may be from {MIN_SECONDS:g} to {MAX_SECONDS:g}")
    bars = whole_bars(duration, bpm)
    form = _form(params, before, template, bars, filled)
    seed, changes = params.seed, {}
    if original is not None:
        seed = int(before.get("seed") or 0)
        changes = {str(part): int(own) for part, own in dict(before.get("changes") or {}).items()}
        if params.change:
            changes[params.change] = params.seed
    return Brief(said, genre, round(bpm, 3), key, mood, duration, seed, form, changes, tuple(filled))


def whole_bars(duration: float, bpm: float) -> int:
    """How many whole bars fit, at least one: what is left over is the last chord's."""
    return max(1, math.floor(duration * bpm / 60 / BEATS + 1e-9))


def _filled(filled: list[str], name: str, value: Any) -> Any:
    filled.append(name)
    return value


def _said_bpm(spoken: Tempo | None, before: Mapping[str, Any], template: Genre) -> float | None:
    if spoken is None:
        return None
    if spoken.bpm is not None:
        return spoken.bpm
    if spoken.word in STEPS:
        known = float(before.get("bpm") or template.bpm.usual)
        return float(min(MAX_BPM, max(MIN_BPM, round(known * STEPS[spoken.word]))))
    return _within(template, PLACES[spoken.word])


def _within(template: Genre, place: float) -> float:
    """A tempo at that place of the genre's range, or beyond it, rounded to whole beats a minute."""
    tempi = template.bpm
    return float(min(MAX_BPM, max(MIN_BPM, round(tempi.least + place * (tempi.most - tempi.least)))))


def _bpm(template: Genre, feeling: Mood, chosen: random.Random) -> float:
    tempi = template.bpm
    usual = (tempi.usual - tempi.least) / max(1.0, tempi.most - tempi.least)
    place = usual + 0.3 * (chosen.random() - 0.5) + 0.4 * feeling.tempo
    return _within(template, min(1.0, max(0.0, place)))


def _key(
    params: GenerateParams,
    before: Mapping[str, Any],
    template: Genre,
    feeling: Mood,
    chosen: random.Random,
    filled: list[str],
) -> Key:
    if params.key:
        key = read_key(params.key)
        if key is None:
            raise BadOptions(f"key {params.key!r} is none such as `C minor`, `F# major` or `Bbm`")
        return key
    likely = template.minor if feeling.minor is None else feeling.minor
    tonic, minor = int(chosen.random() * 12), chosen.random() < likely
    found = find_key(params.prompt)
    if found is not None:
        return Key(found.tonic, minor if found.minor is None else found.minor)
    if earlier := read_key(str(before.get("key") or "")):
        return earlier
    filled.append("key")
    return Key(tonic, minor)


def _form(
    params: GenerateParams, before: Mapping[str, Any], template: Genre, bars: int, filled: list[str]
) -> tuple[Section, ...]:
    """The sections and their bars. Raises `UsageError` `bad_options` where there are more sections than bars."""
    names = params.form
    if not names:
        names = tuple(str(each["section"]) for each in before.get("form") or ()) or short_form(template.form, bars)
        filled.append("form")
        if len(names) > bars:
            names = short_form(template.form, bars)
    if unknown := [name for name in names if name not in SECTIONS]:
        raise BadOptions(f"section {unknown[0]!r} is not one of {', '.join(SECTIONS)}")
    if len(names) > bars:
        raise BadOptions(
            f"form has {len(names)} sections, but the piece has {bars} bars: make it longer, or name fewer"
        )
    return tuple(Section(name, count) for name, count in zip(names, shares(names, bars), strict=True))


def short_form(form: tuple[str, ...], bars: int) -> tuple[str, ...]:
    """As much of a genre's form as so many bars have room for."""
    for least, names in ((6, ("chorus",)), (12, ("verse", "chorus")), (20, ("intro", "verse", "chorus"))):
        if bars < least:
            return names
    if bars < 32:
        return tuple(dict.fromkeys(name for name in form if name in ("intro", "verse", "chorus", "outro")))
    return form


def shares(names: tuple[str, ...], bars: int) -> list[int]:
    """How many of the bars each section gets: by its weight, at least one, in fours and twos where there is room."""
    total = sum(SECTIONS[name] for name in names)
    exact = [bars * SECTIONS[name] / total for name in names]
    unit = next((each for each in (4, 2) if all(share >= each for share in exact)), 1)
    found = [max(1, unit * math.floor(share / unit)) for share in exact]
    order = sorted(range(len(names)), key=lambda at: found[at] - exact[at])  # who is owed most comes first
    left, turn = bars - sum(found), 0
    while left > 0:
        give = min(unit, left)
        found[order[turn % len(order)]] += give
        left, turn = left - give, turn + 1
    while left < 0:
        longest = max(range(len(names)), key=lambda at: found[at])
        found[longest] -= 1
        left += 1
    return found


def check_change(change: str, varied: bool) -> None:
    """Raise `UsageError` `bad_options` for a change that is unknown, or that has no original."""
    if change and change not in CHANGES:
        raise BadOptions(f"change {change!r} is not one of {', '.join(CHANGES)}")
    if change and not varied:
        raise BadOptions("change says what a variation changes: name its original in variation_of")
