"""Numbers as words: `hundred and forty`, `one twenty`, `hundertvierzig`."""

from __future__ import annotations

import re

_ENGLISH = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_GERMAN = {
    "ein": 1, "eine": 1, "einer": 1, "einen": 1, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7,
    "acht": 8, "neun": 9, "zehn": 10, "elf": 11, "zwölf": 12, "fünfzehn": 15, "zwanzig": 20, "dreißig": 30,
    "dreissig": 30, "vierzig": 40, "fünfzig": 50, "sechzig": 60, "siebzig": 70, "achtzig": 80, "neunzig": 90,
}  # fmt: skip
_TENS = "|".join(word for word, value in _ENGLISH.items() if value >= 20)
_UNITS = "|".join(word for word, value in _ENGLISH.items() if value < 20)
_WHOLE = re.compile(
    rf"\b(?:(?:(a|one|two) )?hundred(?:(?: and)? ({_TENS}))?(?:(?: and)?[ -]({_UNITS}))?"
    rf"|one[ -]({_TENS})(?:[ -]({_UNITS}))?|({_TENS})[ -]({_UNITS})|({_TENS}|{_UNITS}))\b",
    re.IGNORECASE,
)
_TENS_DE = "|".join(word for word, value in _GERMAN.items() if value >= 20)
_UNITS_DE = "|".join(word for word, value in _GERMAN.items() if value < 20)
_WHOLE_DE = re.compile(
    rf"\b(?:(?:ein)?hundert(?:und)?(?:({_UNITS_DE})?und)?({_TENS_DE}|{_UNITS_DE})?|({_UNITS_DE})und({_TENS_DE})"
    rf"|({_TENS_DE}|{_UNITS_DE}))\b",
    re.IGNORECASE,
)


def in_digits(text: str) -> str:
    """The text with its numbers in digits; `a` and `one` alone stay, and so do German articles."""
    return _WHOLE_DE.sub(_german, _WHOLE.sub(_english, text))


def _english(found: re.Match[str]) -> str:
    many, tens, unit, tens_after_one, unit_after_one, both_tens, both_unit, alone = found.groups()
    values = {name: _ENGLISH.get((name or "").lower(), 0) for name in found.groups() if name}
    if alone:
        return found[0] if alone.lower() == "one" else str(values[alone])
    if tens_after_one:
        return str(100 + values[tens_after_one] + values.get(unit_after_one, 0))
    if both_tens:
        return str(values[both_tens] + values[both_unit])
    times = _ENGLISH.get(many.lower(), 1) if many else 1
    return str(100 * times + values.get(tens, 0) + values.get(unit, 0))


def _german(found: re.Match[str]) -> str:
    unit, rest, low, tens, alone = (_GERMAN.get((each or "").lower(), 0) for each in found.groups())
    if found[5]:
        return found[0] if alone == 1 else str(alone)
    return str(low + tens) if found[3] else str(100 + unit + rest)
