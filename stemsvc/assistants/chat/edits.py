"""What each intent changes in a project. Edits are pure; one that lacks something raises `Unclear`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from stemsvc.assistants.chat.context import Context
from stemsvc.assistants.chat.entities import Entities
from stemsvc.assistants.chat.intents import Intent
from stemsvc.assistants.chat.project import Goal, Project
from stemsvc.kinds.generate.params import MAX_BPM, MAX_SECONDS, MIN_BPM, MIN_SECONDS, SECTIONS
from stemsvc.kinds.master import PRESETS
from stemsvc.music.genres import STEMS, genres
from stemsvc.music.keys import read_key
from stemsvc.music.tempo import PLACES, STEPS

STEP_DB = 3.0  # of a stem that is made louder, where no amount is named
STEP_LU = 2.0  # of a master
STEP_INTENSITY = 0.25
LONGER = 1.5
REVERB = {"amount": 0.35, "seconds": 1.8}
DUCK = {"from": "drums"}
FADE_SECONDS = 4.0
DEFAULT_SECONDS, DEFAULT_CANDIDATES = 30.0, 3


class Unclear(Exception):
    """A message lacks something; `question` names what to ask, see `questions`."""

    def __init__(self, question: str) -> None:
        super().__init__(question)
        self.question = question


@dataclass(frozen=True)
class Asked:
    """A message with what it is about: the text, what it names, what was said before, the project to change."""

    text: str
    found: Entities
    context: Context
    project: Project

    def known_bpm(self) -> float:
        """The tempo of what is there."""
        music = self.project.music or {}
        genre = genres().get(str(music.get("genre") or self.context.facts.get("genre") or "pop"))
        usual = genre.bpm.usual if genre else 120.0
        return float(self.context.facts.get("bpm") or music.get("bpm") or usual)

    def known_seconds(self) -> float:
        """The length of what is there."""
        music = self.project.music or {}
        return float(self.context.facts.get("duration") or music.get("duration") or DEFAULT_SECONDS)


Edit = Callable[[Asked], Project]


def edit(intent: Intent, asked: Asked) -> Project:
    """The project after an intent that changes it. Raises `Unclear`."""
    made = EDITS[intent](asked)
    formats = asked.found.formats
    return replace(made, format=formats[0]) if formats else made


def create(asked: Asked) -> Project:
    """A new piece by the message's words; what they name stands in fields."""
    found = asked.found
    music: dict[str, Any] = {
        "prompt": asked.text.strip()[:1000],
        "genre": found.genre or None,
        "bpm": _bpm(found.bpm) if found.bpm else None,
        "key": _whole_key(found.key),
        "mood": found.mood or None,
        "duration": _seconds(found.seconds) if found.seconds else None,
        "form": list(found.sections) or None,
        "seed": asked.context.seed,
        "candidates": min(4, found.count) if found.count else None,
    }
    return Project(music={name: value for name, value in music.items() if value is not None})


def _music(asked: Asked) -> Project:
    """The project, if it is generated: no other one has a tempo, a key or a form that can be changed."""
    if asked.project.empty:
        raise Unclear("what_to_make")
    if asked.project.music is None:
        raise Unclear("not_generated")
    return asked.project


def _again(asked: Asked) -> Project:
    return replace(_music(asked).remade(seed=asked.context.seed), changes=())


def _variation(asked: Asked) -> Project:
    """The piece with one part anew: the one that is named, else the melody."""
    project, found = _music(asked), asked.found
    parts = [each for each in found.stems if each in STEMS] or [each for each in found.sections if each in SECTIONS]
    seeded = tuple((part, asked.context.seed) for part in parts or ["vocals"])
    return replace(project, changes=(*project.changes, *seeded))


def _candidates(asked: Asked) -> Project:
    count = min(4, asked.found.count or DEFAULT_CANDIDATES)
    if asked.found.genre or asked.project.music is None:
        return create(asked).remade(candidates=count)
    return asked.project.remade(candidates=count, seed=asked.context.seed)


def _tempo(asked: Asked) -> Project:
    found, project = asked.found, _music(asked)
    if found.bpm is not None:
        return project.remade(bpm=_bpm(found.bpm))
    if found.tempo in STEPS:
        return project.remade(bpm=_bpm(round(asked.known_bpm() * STEPS[found.tempo])))
    genre = genres()[str((project.music or {}).get("genre") or "pop")]
    wide = genre.bpm.most - genre.bpm.least
    return project.remade(bpm=_bpm(round(genre.bpm.least + PLACES[found.tempo] * wide)))


def _key(asked: Asked) -> Project:
    key = _whole_key(asked.found.key)
    if key is None:  # a tonic alone keeps the mode that is there
        mode = (
            "minor"
            if "minor" in str(asked.context.facts.get("key") or (asked.project.music or {}).get("key"))
            else "major"
        )
        key = f"{asked.found.key} {mode}"
    return _music(asked).remade(key=key)


def _genre(asked: Asked) -> Project:
    return _music(asked).remade(genre=asked.found.genre, bpm=None)


def _mood(asked: Asked) -> Project:
    return _music(asked).remade(mood=asked.found.mood)


def _length(asked: Asked) -> Project:
    if asked.found.seconds:
        return _music(asked).remade(duration=_seconds(asked.found.seconds))
    shorter = any(word in asked.text.lower() for word in ("short", "kürz", "half", "halb"))
    double = any(word in asked.text.lower() for word in ("twice", "doppelt", "half", "halb"))
    factor = 2.0 if double else LONGER
    seconds = asked.known_seconds() / factor if shorter else asked.known_seconds() * factor
    return _music(asked).remade(duration=_seconds(round(seconds)))


def _form(asked: Asked) -> Project:
    """The form with a section more, in its usual place, or without it."""
    project = _music(asked)
    told = asked.context.facts.get("form") or ()
    form = list((project.music or {}).get("form") or [each["section"] for each in told] or ["verse", "chorus"])
    without = any(word in asked.text.lower().split() for word in ("without", "no", "ohne", "kein", "keine"))
    for section in asked.found.sections:
        if without:
            form = [each for each in form if each != section] or form
        elif section == "intro":
            form.insert(0, section)
        elif section in ("outro",) or form[-1] != "outro":
            form.append(section)
        else:
            form.insert(len(form) - 1, section)
    return project.remade(form=[each for each in form if each in SECTIONS])


def _stems(asked: Asked) -> tuple[str, ...]:
    if asked.project.empty:
        raise Unclear("which_song")
    if not asked.found.stems:
        raise Unclear("which_stem")
    if asked.project.music is not None and (odd := [each for each in asked.found.stems if each not in STEMS]):
        raise Unclear(f"no_stem:{odd[0]}")
    return asked.found.stems


def _each(asked: Asked, **changes: Any) -> Project:
    project = asked.project
    for stem in _stems(asked):
        project = project.track(stem, **changes)
    return project


def _mute(asked: Asked) -> Project:
    return _each(asked, mute=True)


def _solo(asked: Asked) -> Project:
    wanted, project = _stems(asked), asked.project
    for stem in dict.fromkeys((*STEMS, *wanted)):
        project = project.track(stem, mute=None if stem in wanted else True)
    return project


def _unmute(asked: Asked) -> Project:
    return _each(asked, mute=None)


def _gain(asked: Asked, sign: float) -> Project:
    project, given = asked.project, asked.found.gain_db
    step = sign * (abs(given) if given is not None else STEP_DB)
    for stem in _stems(asked):
        before = float(project.tracks.get(stem, {}).get("gain_db", 0.0))
        project = project.track(stem, gain_db=max(-60.0, min(20.0, before + step)) or None)
    return project


def _reverb(asked: Asked) -> Project:
    if asked.found.stems:
        return _each(asked, reverb=REVERB)
    project = _there(asked)
    for stem in ("other", "vocals"):
        project = project.track(stem, reverb=REVERB)
    return project


def _duck(asked: Asked) -> Project:
    project = _there(asked)
    for stem in [each for each in asked.found.stems if each != "drums"] or ["bass", "other"]:
        project = project.track(stem, sidechain=DUCK)
    return project


def _fade(asked: Asked) -> Project:
    text, seconds = asked.text.lower(), asked.found.seconds or FADE_SECONDS
    into = any(word in text for word in ("fade in", "fade-in", "einblend", "ein blend"))
    name = "fade_in" if into else "fade_out"
    project = _there(asked)
    for stem in asked.found.stems or STEMS:
        project = project.track(stem, **{name: seconds})
    return project


def _there(asked: Asked) -> Project:
    if asked.project.empty:
        raise Unclear("which_song")
    return asked.project


def _master(asked: Asked) -> Project:
    project, found = _there(asked), asked.found
    wanted = {**(project.master or {}), "preset": found.preset or (project.master or {}).get("preset", "streaming")}
    if found.preset:
        wanted.pop("loudness", None)
    if found.loudness is not None:
        wanted["loudness"] = max(-40.0, min(-5.0, found.loudness))
    return replace(project, master=wanted)


def _loudness(asked: Asked, step: float) -> Project:
    project = _there(asked)
    before = project.master or {"preset": "streaming"}
    preset = PRESETS[str(before.get("preset", "streaming"))].loudness
    known = float(before.get("loudness", preset if preset is not None else -14.0))
    return replace(project, master={**before, "loudness": max(-40.0, min(-5.0, known + step))})


def _intensity(asked: Asked, step: float) -> Project:
    project = _there(asked)
    before = project.master or {"preset": "streaming"}
    wanted = max(0.0, min(1.0, float(before.get("intensity", 0.5)) + step))
    return replace(project, master={**before, "intensity": wanted})


def _tone(asked: Asked) -> Project:
    project = _there(asked)
    return replace(project, mix={**project.mix, "profile": asked.found.tone})


def _balance(asked: Asked) -> Project:
    project = _there(asked)
    return replace(project, mix={**project.mix, "profile": "balanced"})


def _goal(asked: Asked, goal: Goal) -> Project:
    return replace(_there(asked), goals=(goal,))


def _transcribe(asked: Asked) -> Project:
    return _goal(asked, Goal("transcribe", {"of": asked.found.stems} if asked.found.stems else {}))


def _export(asked: Asked) -> Project:
    if not asked.found.targets:
        raise Unclear("which_program")
    return _goal(asked, Goal("export", {"targets": list(asked.found.targets)}))


def _bpm(value: float) -> float:
    if not MIN_BPM <= value <= MAX_BPM:
        raise Unclear("tempo_range")
    return value


def _seconds(value: float) -> float:
    if not MIN_SECONDS <= value <= MAX_SECONDS:
        raise Unclear("length_range")
    return value


def _whole_key(text: str) -> str | None:
    key = read_key(text) if " " in text else None
    return key.name if key else None


EDITS: dict[Intent, Edit] = {
    Intent.CREATE: create,
    Intent.AGAIN: _again,
    Intent.VARIATION: _variation,
    Intent.CANDIDATES: _candidates,
    Intent.TEMPO: _tempo,
    Intent.KEY: _key,
    Intent.GENRE: _genre,
    Intent.MOOD: _mood,
    Intent.LENGTH: _length,
    Intent.FORM: _form,
    Intent.MUTE: _mute,
    Intent.SOLO: _solo,
    Intent.UNMUTE: _unmute,
    Intent.STEM_LOUDER: lambda asked: _gain(asked, 1.0),
    Intent.STEM_QUIETER: lambda asked: _gain(asked, -1.0),
    Intent.PAN: lambda asked: _each(asked, pan=asked.found.pan or None),
    Intent.REVERB: _reverb,
    Intent.TONE: _tone,
    Intent.FADE: _fade,
    Intent.BALANCE: _balance,
    Intent.DUCK: _duck,
    Intent.MASTER: _master,
    Intent.LOUDNESS: _master,
    Intent.LOUDER: lambda asked: _loudness(asked, STEP_LU),
    Intent.QUIETER: lambda asked: _loudness(asked, -STEP_LU),
    Intent.GENTLER: lambda asked: _intensity(asked, -STEP_INTENSITY),
    Intent.STRONGER: lambda asked: _intensity(asked, STEP_INTENSITY),
    Intent.UNMASTER: lambda asked: replace(_there(asked), master=None),
    Intent.FORMAT: _there,
    Intent.SEPARATE: lambda asked: replace(_there(asked), split=asked.found.stems),
    Intent.KARAOKE: lambda asked: replace(_there(asked).track("vocals", mute=True), split=None),
    Intent.ANALYZE: lambda asked: _goal(asked, Goal("analyze")),
    Intent.TRANSCRIBE: _transcribe,
    Intent.EXPORT: _export,
}
