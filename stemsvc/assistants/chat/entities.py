"""What a message names: tempo, key, genre, mood, length, stems, loudness, formats, programs, versions, amounts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from stemsvc.music.durations import find_duration
from stemsvc.music.genres import find_genre
from stemsvc.music.keys import TONICS, find_key
from stemsvc.music.moods import find_mood
from stemsvc.music.numbers import in_digits
from stemsvc.music.tempo import find_tempo

STEM_WORDS: Mapping[str, str] = {
    "drums": r"drums?|drum (?:track|part)s?|percussion|schlagzeug\w*|trommeln?|perkussion|drumset",
    "bass": r"bass|bass ?lines?|bässe|bassspur|basslinie",
    "vocals": r"vocals?|a ?cap+ell?as?|vox|voices?|sing(?:er|ing)|lead vocals?|gesang\w*|stimmen?|sänger\w*",
    "guitar": r"guitars?|gitarren?",
    "piano": r"pianos?|keys|klavier\w*",
    "other": r"others?|instruments|(?<!vocal )melody|melodie|synths?|the rest|der rest|den rest|"
    r"begleitung|akkorde|harmonies",
}
PRESETS: Mapping[str, str] = {
    "streaming": r"streaming|spotify|youtube|soundcloud|tidal|online",
    "apple": r"apple(?: music)?|itunes",
    "cd": r"cds?",
    "club": r"clubs?|djs?|dance ?floor",
    "broadcast": r"broadcast\w*|radio|tv|television|fernsehen|rundfunk|ebu|r ?128",
    "podcast": r"podcasts?",
}
FORMATS: Mapping[str, str] = {
    "wav": r"wavs?|wave", "flac": r"flacs?", "mp3": r"mp3s?", "aac": r"aac|m4a", "opus": r"opus|ogg",
}  # fmt: skip
TARGETS: Mapping[str, str] = {
    "reaper": r"reaper|rpp", "ardour": r"ardour", "dawproject": r"daw ?project|bitwig|cubase|studio one",
    "stem.mp4": r"stem\.?mp4|traktor|native instruments|stems? file", "zip": r"zip|archive|archiv",
    "samples": r"samples?(?: packs?)?|sample ?packs?|one[- ]shots?|loops",
}  # fmt: skip
SECTIONS: Mapping[str, str] = {
    "intro": r"intros?|einleitung", "verse": r"verses?|strophen?", "chorus": r"chorus(?:es)?|hooks?|refrains?",
    "bridge": r"bridges?|brücke", "break": r"breaks?|breakdown", "drop": r"drops?", "outro": r"outros?|schluss|ending",
}  # fmt: skip
TONES: Mapping[str, str] = {
    "bright": r"bright\w*|crisp\w*|heller\w*|brillan\w*|more (?:treble|highs|air)|mehr (?:höhen|brillanz)|airier",
    "warm": r"warm\w*|wärm\w*|cosier|rounder",
    "bass-heavy": r"bass[- ]?heavy|more (?:low end|bass|lows|sub)|bassier|mehr (?:bass|bässe|tiefen)|basslastig\w*|"
    r"fatter|fetter\w*|beef\w*",
}  # fmt: skip
_ORDINALS: Mapping[str, int] = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "erste": 1, "zweite": 2, "dritte": 3, "vierte": 4,
    "fünfte": 5, "original": 1,
}  # fmt: skip
_ORDINAL = re.compile(
    r"\b(?:the |der |die |das |dem |den |zur |zum )"
    r"(first|second|third|fourth|fifth|original|(?:erst|zweit|dritt|viert|fünft)e)[nrs]?"
    r"(?: (?:one|version|take|idea|try|song|track|beat|piece|candidate|result|fassung|variante|idee))?\b"
    r"(?! (?:half|part))"
    r"|\b(?:version|take|number|nummer|fassung|variante|candidate|kandidat|no\.?|nr\.?|#)\s?(\d{1,2}|one|eins)\b|#(\d{1,2})\b",
    re.IGNORECASE,
)
# What is last in a piece, and no version: `the last 3 seconds`.
_NO_VERSION = (
    r"(?!\s+(?:\w+\s+)?(?:seconds?|minutes?|bars?|changes?|edits?|steps?|things?|parts?|sekunden?|minuten?|takte?"
    r"|änderung|schritt))"
)
_LAST = re.compile(
    r"\b(?:the (?:last|latest|newest|most recent)|(?:die|das|den|der|dem|zur|zum) (?:letzte|neueste)[nrs]?)\b"
    + _NO_VERSION,
    re.IGNORECASE,
)
_PREVIOUS = re.compile(
    r"\b(?:the (?:previous|earlier|one before)|(?:die|das|den|der|dem|zur|zum) (?:vorige|vorherige|vorletzte)[nrs]?"
    r"|davor)\b" + _NO_VERSION,
    re.IGNORECASE,
)
_THIS = re.compile(
    r"\b(?:it|this|that|these|them|es|das|dies\w*|sie|ihn|davon|damit|the (?:song|track|beat|tune|piece|mix)"
    r"|(?:der|den|das|dem) (?:song|track|beat|lied|stück|mix))\b",
    re.I,
)
_LUFS = re.compile(r"([-–−]|minus )?\s?(\d{1,2}(?:[.,]\d+)?)\s?(?:lufs|lu\b|lkfs)", re.IGNORECASE)
_DB = re.compile(r"([-–−+]|minus |plus )?\s?(\d{1,2}(?:[.,]\d+)?)\s?(?:db|decibels?|dezibel)\b", re.IGNORECASE)
_COUNT = re.compile(
    r"\b([2-9])\s(?:\w+\s){0,2}?(?:versions?|variations?|candidates?|ideas?|takes?|options?|beats|tracks|songs|tunes|"
    r"pieces|varianten|versionen|kandidaten|ideen|fassungen|stücke|lieder)\b", re.IGNORECASE,
)  # fmt: skip
_SIDE = re.compile(r"\b(left|right|links|rechts|cent(?:er|re)|mitte|middle)\b", re.IGNORECASE)
_SIDES = {"left": -0.7, "links": -0.7, "right": 0.7, "rechts": 0.7}
# What says `bass` or `keys` but means no stem.
_NO_STEMS = re.compile(
    r"drum (?:and|n|&|'n'?|und) bass|bass[- ]heavy|(?:more|mehr|weniger|less) bass(?:e|es)?\b(?! (?:line|guitar))"
    r"|basslastig\w*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Entities:
    """What a message names; empty and None where it does not.

    `version` is the number of a version from 1, 0 the last one, -1 the one before, None where none is named; `this`
    says that the message speaks of what is there. `gain_db` is signed where the message says so.
    """

    genre: str = ""
    bpm: float | None = None
    tempo: str = ""
    key: str = ""
    mood: str = ""
    seconds: float | None = None
    stems: tuple[str, ...] = ()
    loudness: float | None = None
    preset: str = ""
    formats: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    tone: str = ""
    version: int | None = None
    this: bool = False
    gain_db: float | None = None
    count: int | None = None
    pan: float | None = None

    @property
    def named(self) -> dict[str, object]:
        """Those that the message names, without `this`."""
        found = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "this"}
        return {name: value for name, value in found.items() if value not in ("", (), None)}


def find_entities(message: str) -> Entities:
    """All that the message names."""
    text = in_digits(message)
    tempo, key, lufs = find_tempo(text), find_key(message), _LUFS.search(text)
    genre = find_genre(text)
    mode = "" if key is None or key.minor is None else " minor" if key.minor else " major"
    return Entities(
        genre=genre,
        bpm=tempo.bpm if tempo and not lufs else None,
        tempo=tempo.word if tempo else "",
        key=f"{TONICS[key.tonic]}{mode}" if key else "",
        mood=find_mood(text),
        seconds=find_duration(text),
        stems=_all(STEM_WORDS, _NO_STEMS.sub("", text)),
        loudness=-float(lufs[2].replace(",", ".")) if lufs else None,
        preset=_one(PRESETS, text),
        formats=_all(FORMATS, text),
        targets=_all(TARGETS, text),
        sections=_all(SECTIONS, text),
        tone=_one(TONES, text),
        version=_version(text),
        this=bool(_THIS.search(text)),
        gain_db=_signed(_DB.search(text)),
        count=int(found[1]) if (found := _COUNT.search(text)) else None,
        pan=_SIDES.get(found[1].lower(), 0.0) if (found := _SIDE.search(text)) else None,
    )


def _all(words: Mapping[str, str], text: str) -> tuple[str, ...]:
    return tuple(name for name, pattern in words.items() if re.search(rf"(?<![\w.])(?:{pattern})(?!\w)", text, re.I))


def _one(words: Mapping[str, str], text: str) -> str:
    return next(iter(_all(words, text)), "")


def _version(text: str) -> int | None:
    if found := _ORDINAL.search(text):
        number = found[2] or found[3]
        return (int(number) if number.isdigit() else 1) if number else _ORDINALS[found[1].lower()]
    if _PREVIOUS.search(text):
        return -1
    return 0 if _LAST.search(text) else None


def _signed(found: re.Match[str] | None) -> float | None:
    if found is None:
        return None
    value = float(found[2].replace(",", "."))
    return -value if (found[1] or "").strip().lower() in ("-", "–", "−", "minus") else value
