"""Keys, in the spellings that people use: `C minor`, `F#m`, `D flat major`, `Cis-Moll`, `B-Dur`, `8A`."""

from __future__ import annotations

import re
from dataclasses import dataclass

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
# German names; its B is a half step below its H.
_GERMAN = {
    "ces": 11, "c": 0, "cis": 1, "des": 1, "d": 2, "dis": 3, "es": 3, "e": 4, "eis": 5, "fes": 4, "f": 5, "fis": 6,
    "ges": 6, "g": 7, "gis": 8, "as": 8, "a": 9, "ais": 10, "b": 10, "h": 11, "his": 0,
}  # fmt: skip
_SIGNS = {"": 0, "#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
_CAMELOT = (8, 3, 10, 5, 12, 7, 2, 9, 4, 11, 6, 1)  # of the major keys from C on
_MINOR = r"minor|min|m|aeolian"
_MAJOR = r"major|maj|ionian"
_SIGN = r"\s?-?(?:#|♯|♭|sharp|flat)|b"
_ENGLISH = re.compile(
    rf"(?<![\w#♯♭])([A-Ga-g])({_SIGN})?[\s-]?(?:({_MINOR})|({_MAJOR}))(?![\w#♯♭])(?!\s+(?:key|scale|mode)s?\b)",
    re.IGNORECASE,
)
_LEADS = re.compile(r"\b(?:in|of|to|into|from|key|is|tonart|nach|und|and|[:=,])\s*$", re.IGNORECASE)
_IN_GERMAN = re.compile(rf"(?<!\w)({'|'.join(sorted(_GERMAN, key=len, reverse=True))})[\s-]?(moll|dur)(?!\w)", re.I)
_ON_WHEEL = re.compile(r"(?<![\w.:])(1[0-2]|[1-9])([ABab])(?!\w)")
# A letter alone is a key where words say so: `in the key of E`, `in F#`, `Tonart G`.
_NAMED = re.compile(
    r"(?:\bkey (?:of|is|to)|\bkey[:=]|\bTonart|\b[Ii]n)\s+([A-H])(#|♯|b|♭|\s?-?sharp|\s?-?flat|is|es|s)?(?![\w#♯♭'’-])"
)


@dataclass(frozen=True)
class Key:
    """A tonic, 0 for C to 11 for B, and a mode."""

    tonic: int
    minor: bool

    @property
    def name(self) -> str:
        """As the API has it: `C minor`, `F# major`."""
        return f"{TONICS[self.tonic]} {'minor' if self.minor else 'major'}"


@dataclass(frozen=True)
class Found:
    """A key in a text, and where. `minor` is None where only a tonic was named."""

    tonic: int
    minor: bool | None
    start: int
    end: int


def find_key(text: str) -> Found | None:
    """The first key that the text names."""
    found = [each for each in (_english(text), _german(text), _on_wheel(text)) if each]
    return min(found, key=lambda each: each.start) if found else _tonic(text)


def read_key(text: str) -> Key | None:
    """The key that the text is, and nothing else; a tonic alone is a major key. None where it is no key."""
    text = text.strip()
    found = find_key(text)
    if found is not None and (found.start, found.end) == (0, len(text)) and found.minor is not None:
        return Key(found.tonic, found.minor)
    alone = re.fullmatch(rf"([A-Ga-g])({_SIGN})?", text, re.IGNORECASE)
    return Key(_pitch(alone[1], alone[2]), False) if alone else None


def _pitch(letter: str, sign: str | None) -> int:
    return (_LETTERS[letter.lower()] + _SIGNS[(sign or "").strip(" -").lower()]) % 12


def _english(text: str) -> Found | None:
    for found in _ENGLISH.finditer(text):
        letter, sign, minor, _ = found.groups()
        if minor and minor in "mM" and (minor == "M" or (letter.islower() and not sign)):
            continue  # `CM` is major elsewhere; `am` and `em` are words
        if letter == "a" and not sign and found[0] != text.strip() and not _LEADS.search(text[: found.start()]):
            continue  # an article: `a minor change`, `a major hit`
        return Found(_pitch(letter, sign), bool(minor), found.start(), found.end())
    return None


def _german(text: str) -> Found | None:
    found = _IN_GERMAN.search(text)
    if found is None:
        return None
    return Found(_GERMAN[found[1].lower()], found[2].lower() == "moll", found.start(), found.end())


def _on_wheel(text: str) -> Found | None:
    found = _ON_WHEEL.search(text)
    if found is None:
        return None
    minor = found[2].upper() == "A"
    major = _CAMELOT.index(int(found[1]))
    return Found((major + 9) % 12 if minor else major, minor, found.start(), found.end())


def _tonic(text: str) -> Found | None:
    found = _NAMED.search(text)
    if found is None:
        return None
    letter, sign = found[1], (found[2] or "").strip(" -").lower()
    german = letter == "H" or sign in ("is", "es", "s")
    tonic = _GERMAN.get(f"{letter}{sign}".lower()) if german else _pitch(letter, sign)
    return None if tonic is None else Found(tonic, None, found.start(), found.end())
