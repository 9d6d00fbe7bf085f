"""Moods: how they are called, and what they do to a piece."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Mood:
    """What a mood asks of a piece. `minor` says how likely a minor key is, None leaves that to the genre.

    `tempo` moves within the genre's range, `energy` thins or thickens the parts, `bright` lifts the highs: -1 to 1.
    """

    words: str
    minor: float | None = None
    tempo: float = 0.0
    energy: float = 0.0
    bright: float = 0.0


MOODS: dict[str, Mood] = {
    "dark": Mood(r"dark\w*|gloomy|sinister|evil|ominous|düster\w*|dunk(?:el|le\w*)|finster\w*", 1.0, -0.1, 0.0, -0.7),
    "happy": Mood(
        r"happ(?:y|ier)|cheerful|joyful|"
        r"feel[- ]good|sunny|fröhlich\w*|glücklich\w*|heiter\w*",
        0.0,
        0.3,
        0.2,
        0.4,
    ),
    "sad": Mood(
        r"sad(?:der|dest)?|melanchol\w*|sorrowful|"
        r"mournful|traurig\w*|wehmütig\w*|schwermütig\w*",
        1.0,
        -0.6,
        -0.4,
        -0.3,
    ),
    "chill": Mood(
        r"chill\w*|relax\w*|calm\w*|mellow\w*|quiet mood|peaceful|laid[- ]back|smooth|"
        r"entspann\w*|ruhig\w*|gechillt\w*|sanft\w*",
        None,
        -0.5,
        -0.5,
        -0.3,
    ),
    "energetic": Mood(
        r"energetic|energy|driving|pumping|powerful|hype|banging|energiegeladen\w*|treibend\w*|kraftvoll\w*",
        None,
        0.6,
        0.8,
        0.4,
    ),
    "aggressive": Mood(
        r"aggressive|angr(?:y|ier)|fierce|"
        r"hard[- ]hitting|brutal|heavy|aggressiv\w*|wütend\w*",
        1.0,
        0.5,
        1.0,
        0.3,
    ),
    "dreamy": Mood(
        r"dream(?:y|ier)|ethereal|floaty|"
        r"hazy|spacey|verträumt\w*|träumerisch\w*|schwebend\w*",
        None,
        -0.4,
        -0.4,
        0.1,
    ),
    "romantic": Mood(r"romantic|love|tender|sensual|romantisch\w*|zärtlich\w*|verliebt\w*", None, -0.4, -0.3, -0.1),
    "epic": Mood(r"epic|heroic|grand|triumphant|majestic|episch\w*|heroisch\w*|monumental\w*", 0.7, 0.1, 0.9, 0.3),
    "uplifting": Mood(
        r"uplifting|inspiring|hopeful|"
        r"euphoric|erhebend\w*|hoffnungsvoll\w*|euphorisch\w*",
        0.1,
        0.3,
        0.5,
        0.5,
    ),
    "mysterious": Mood(
        r"mysterious|eerie|suspenseful|"
        r"haunting|mysteriös\w*|geheimnisvoll\w*|unheimlich\w*",
        1.0,
        -0.3,
        -0.2,
        -0.4,
    ),
    "nostalgic": Mood(r"nostalgic|retro|vintage|nostalgisch\w*", None, -0.1, -0.1, -0.2),
    "playful": Mood(r"playful|quirky|bouncy|groovy|verspielt\w*|witzig\w*", 0.2, 0.3, 0.2, 0.3),
}


def find_mood(text: str) -> str:
    """The mood that the text names first; empty where it names none."""
    found = [
        (match.start(), name)
        for name, mood in MOODS.items()
        if (match := re.search(rf"\b(?:{mood.words})\b", text, re.IGNORECASE))
    ]
    return min(found)[1] if found else ""
