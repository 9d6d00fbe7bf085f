"""What is asked back where a message is not clear, in the language of who wrote it."""

from __future__ import annotations

import re

QUESTIONS: dict[str, tuple[str, str]] = {
    "not_understood": (
        'I don\'t understand that. Say what to make or to change, such as "a trap beat at 140" or "mute the drums".',
        "Das verstehe ich nicht. Sag, was entstehen oder sich ändern soll, etwa „ein Trap-Beat mit 140“ oder "
        "„Drums weg“.",
    ),
    "what_to_make": (
        "There is nothing to change yet. What shall I make?",
        "Es gibt noch nichts zu ändern. Was soll entstehen?",
    ),
    "which_song": (
        "Which song? Send one, or say what to make.",
        "Welches Lied? Schick eines, oder sag, was entstehen soll.",
    ),
    "which_stem": (
        "Which part: drums, bass, vocals or the others?",
        "Welche Spur: Schlagzeug, Bass, Gesang oder die übrigen?",
    ),
    "no_stem": ("This piece has no {0} of its own.", "Dieses Stück hat keine eigene Spur {0}."),
    "which_version": ("Which version? There are {0}.", "Welche Fassung? Es gibt {0}."),
    "which_program": (
        "For which program: Reaper, Ardour, DAWproject, stem.mp4, or a sample pack?",
        "Für welches Programm: Reaper, Ardour, DAWproject, stem.mp4 oder ein Sample-Pack?",
    ),
    "which_name": ("What shall it be called?", "Wie soll es heißen?"),
    "not_generated": (
        "That can be changed in a piece that was made here, not in a recording.",
        "Das geht bei einem Stück, das hier entstanden ist, nicht bei einer Aufnahme.",
    ),
    "tempo_range": (
        "A tempo may be from 60 to 200 bpm. Which one?",
        "Ein Tempo darf von 60 bis 200 bpm sein. Welches?",
    ),
    "length_range": (
        "A piece may play from 5 seconds to 5 minutes. How long?",
        "Ein Stück darf 5 Sekunden bis 5 Minuten dauern. Wie lang?",
    ),
    "nothing_to_undo": ("There is no earlier version.", "Es gibt keine frühere Fassung."),
    "nothing_to_redo": ("There is no later version.", "Es gibt keine spätere Fassung."),
    "nothing_pending": ("Nothing waits for a yes. What shall I do?", "Nichts wartet auf ein Ja. Was soll ich tun?"),
}
_GERMAN = re.compile(
    r"\b(?:der|die|das|den|dem|ein|eine|einen|und|mach|mit|ohne|bitte|ich|nicht|auf|für|nimm|zurück|wie|was|nur|mehr|kein\w*|"
    r"gib|lauter|leiser|schneller|langsamer|danke|hallo|ja|nein|zeig|lösch\w*|nenn\w*|trenne?|welche\w*|ist|es|wieder)\b|[äöüß]",
    re.IGNORECASE,
)
_ENGLISH = re.compile(
    r"\b(?:the|a|an|and|make|with|without|please|i|not|to|for|it|of|only|more|no|give|is|what|my|this|that|now)\b",
    re.IGNORECASE,
)


def is_german(message: str, before: bool = False) -> bool:
    """Whether a message is in German; where its words don't tell, as the one `before` was."""
    german, english = len(_GERMAN.findall(message)), len(_ENGLISH.findall(message))
    return before if german == english else german > english


def question(name: str, german: bool) -> str:
    """The words of a question; what follows a colon in its name is filled in."""
    key, _, detail = name.partition(":")
    return QUESTIONS[key][german].format(detail)
