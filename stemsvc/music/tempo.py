"""Tempi: `140 bpm`, `at 140`, `allegro`, `schnell`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stemsvc.music.numbers import in_digits

_NUMBER = r"(\d{2,3}(?:[.,]\d{1,2})?)(?![\d:.,]*\d)"
_NAMED = re.compile(
    rf"{_NUMBER}\s?(?:bpm|beats?\s(?:per|a)\sminute|schläge|schlägen)"
    rf"|(?:\bbpm|\btempo|\bgeschwindigkeit)(?:\s(?:of|is|to|von|auf|ist|at|bei))?\s?[:=]?\s?{_NUMBER}",
    re.IGNORECASE,
)
# A number alone is a tempo after these words, unless a unit follows it.
_AFTER = re.compile(
    rf"\b(?:at|around|about|with|to|bei|mit|auf|um die|etwa|on)\s{_NUMBER}"
    r"(?=\s*(?:$|[,.;!?)]|and|und|in|with|mit|please|bitte|but|aber|then|dann|for|für))",
    re.IGNORECASE,
)
_WORDS: tuple[tuple[str, str], ...] = (
    ("slower", r"slower|langsamer|slow (?:it |this |that )?down|verlangsam\w*"),
    ("faster", r"faster|schneller|quicker|speed (?:it |this |that )?up|beschleunig\w*"),
    ("very slow", r"very slow(?:ly)?|sehr langsam\w*|largo|grave|lento"),
    ("slow", r"slow(?:ly)?|langsam\w*|adagio|downtempo|laid[- ]back|gemächlich\w*"),
    ("medium", r"mid[- ]?tempo|medium[- ]?tempo|medium|moderate|moderato|andante|mittelschnell\w*|mittleres tempo"),
    ("very fast", r"very fast|sehr schnell\w*|presto|prestissimo|rasend\w*"),
    ("fast", r"fast|quick|schnell\w*|allegro|vivace|up[- ]?tempo|flott\w*|zügig\w*"),
)
_FAST_IS_GERMAN = re.compile(r"\bfast (?:so|wie|alles|nur|keine?|nichts|fertig)\b", re.IGNORECASE)  # there: almost
# Where in a genre's range of tempi a word points: 0 its slowest, 1 its fastest.
PLACES = {"very slow": -0.25, "slow": 0.0, "medium": 0.5, "fast": 1.0, "very fast": 1.25}
STEPS = {"slower": 0.88, "faster": 1.14}  # of the tempo that is there


@dataclass(frozen=True)
class Tempo:
    """What a text says of a tempo: beats a minute, or one of `PLACES` and `STEPS`."""

    bpm: float | None = None
    word: str = ""


def find_tempo(text: str) -> Tempo | None:
    """The tempo that the text names; a number goes before a word."""
    digits = in_digits(text)
    for pattern in (_NAMED, _AFTER):
        if found := pattern.search(digits):
            number = next(each for each in found.groups() if each)
            return Tempo(float(number.replace(",", ".")))
    told = _FAST_IS_GERMAN.sub("", text)
    for word, pattern_text in _WORDS:
        if re.search(rf"\b(?:{pattern_text})\b", told, re.IGNORECASE):
            return Tempo(word=word)
    return None
