"""Lengths of music: `30 seconds`, `2:30`, `a minute and a half`, `zwei Minuten`."""

from __future__ import annotations

import re

from stemsvc.music.numbers import in_digits

_SECONDS = r"(?:seconds?|secs?|s|sekunden?|sek\.?)"
_MINUTES = r"(?:minutes?|mins?|m(?=\s\d)|minuten?)"
_CLOCK = re.compile(r"(?<![\d:.])(\d{1,2}):([0-5]\d)(?![\d:])(?!\s?(?:uhr|am|pm)\b)", re.IGNORECASE)
_BOTH = re.compile(rf"\b(\d{{1,3}})[ -]?{_MINUTES}(?:\s(?:and|und))?\s(\d{{1,3}})(?:\s?{_SECONDS})?\b", re.IGNORECASE)
_IN_MINUTES = re.compile(rf"\b(\d{{1,3}}(?:[.,]\d+)?)[ -]?{_MINUTES}(?!\w)", re.IGNORECASE)
_IN_SECONDS = re.compile(rf"(?<!\ban )(?<!\bthe )\b(\d{{1,4}}(?:[.,]\d+)?)[ -]?{_SECONDS}(?!\w)", re.IGNORECASE)
_PHRASES: tuple[tuple[str, float], ...] = (
    (r"\b(?:a|one|1) minute and a half|\bone and a half minutes?|\b(?:eineinhalb|anderthalb) minuten", 90.0),
    (r"\bhalf a minute|\bhalf minute|\b(?:eine )?halbe minute", 30.0),
    (r"\b(?:a|one) minute|\bminute long|\b(?:eine|1) minute\b", 60.0),
    (r"\b(?:a )?couple of minutes|\bein paar minuten", 120.0),
)


def find_duration(text: str) -> float | None:
    """Seconds that the text names as a length; None where it names none."""
    text = in_digits(text)
    if found := _BOTH.search(text):
        return float(found[1]) * 60 + float(found[2])
    for pattern, seconds in _PHRASES:
        if re.search(pattern, text, re.IGNORECASE):
            return seconds
    if found := _CLOCK.search(text):
        return float(found[1]) * 60 + float(found[2])
    if found := _IN_MINUTES.search(text):
        return float(found[1].replace(",", ".")) * 60
    if found := _IN_SECONDS.search(text):
        return float(found[1].replace(",", "."))
    return None
