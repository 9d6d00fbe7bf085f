"""What a stem is, by its name: the names that people and programs give to the files of stems."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stemsvc.errors import BadOptions
from stemsvc.jobs.filenames import without_ending

DRUMS = "drums"
STEMS = ("drums", "bass", "vocals", "piano", "guitar", "other", "song")
_WORDS = {
    "drums": {"drums", "drum", "percussion", "beat", "beats", "kit"},
    "bass": {"bass", "bassline"},
    "vocals": {"vocals", "vocal", "vox", "voice", "acapella", "acappella", "singing", "melody"},
    "piano": {"piano", "keys", "keyboard"},
    "guitar": {"guitar", "guitars", "gtr"},
    "other": {"other", "instrumental", "accompaniment", "residual", "synth", "strings", "no", "minus"},
}


def stem_of(name: str, alone: bool) -> str:
    """The stem in a file's or an output's name: that of its last known word. `no_vocals` is other than one stem.

    Without such a word it is `song` for an input that is `alone`, else `other`.
    """
    words = re.findall(r"[^\W_]+", without_ending(name).lower())
    for at in range(len(words) - 1, -1, -1):
        for stem, known in _WORDS.items():
            if words[at] in known:
                return "other" if at and words[at - 1] in ("no", "minus") else stem
    return "song" if alone else "other"


def check_stems(stems: Sequence[str], inputs: int) -> None:
    """Raise `UsageError` `bad_options` unless there are no names, or a known one for each input."""
    if unknown := [stem for stem in stems if stem not in STEMS]:
        raise BadOptions(f"stem {unknown[0]!r} is not one of {', '.join(STEMS)}")
    if stems and len(stems) != inputs:
        raise BadOptions(
            f"{len(stems)} stems are named for {inputs} tracks: name one for each, in their order, or none"
        )


def distinct(names: Sequence[str]) -> list[str]:
    """The names, each with a number where it came before: guitar, guitar-2."""
    found: list[str] = []
    for name in names:
        count, given = 1, name
        while given in found:
            count += 1
            given = f"{name}-{count}"
        found.append(given)
    return found
