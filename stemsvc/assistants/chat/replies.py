"""What is answered to a message that is understood, in the language of who wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stemsvc.assistants.chat.project import Project

REPLIES: Mapping[str, tuple[str, str]] = {
    "plan": ("{0}. It takes about {1} s. Shall I run it?", "{0}. Das dauert etwa {1} s. Soll ich es ausführen?"),
    "runs": ("Version {0} is being made: {1}.", "Fassung {0} entsteht: {1}."),
    "back": ("This is version {0} again: {1}.", "Das ist wieder Fassung {0}: {1}."),
    "nothing_left": (
        "The plan is dropped; there is no version yet.",
        "Der Plan ist verworfen; es gibt noch keine Fassung.",
    ),
    "reset": ("We begin anew. What shall I make?", "Wir fangen neu an. Was soll entstehen?"),
    "rejected": ("I leave it as it is.", "Ich lasse es, wie es ist."),
    "stopped": ("Stopped: {0}.", "Angehalten: {0}."),
    "nothing_runs": ("Nothing is at work.", "Es läuft gerade nichts."),
    "status": ("Version {0} is {1}: {2} %.", "Fassung {0} ist {1}: {2} %."),
    "status_gone": ("The files of version {0} are gone.", "Die Dateien von Fassung {0} sind nicht mehr da."),
    "no_versions": ("There is no version yet.", "Es gibt noch keine Fassung."),
    "current": ("version {0} (current): {1}", "Fassung {0} (aktuell): {1}"),
    "version": ("version {0}: {1}", "Fassung {0}: {1}"),
    "play": ("Here is version {0}.", "Hier ist Fassung {0}."),
    "download": ("Here are the files of version {0}.", "Hier sind die Dateien von Fassung {0}."),
    "compare": ("Here are versions {0} and {1}.", "Hier sind die Fassungen {0} und {1}."),
    "nothing_to_compare": (
        "There is nothing to compare: two versions are needed.",
        "Es gibt nichts zu vergleichen: Das braucht zwei Fassungen.",
    ),
    "delete": (
        "I erase nothing by myself: delete the conversation, or the workflow of a version.",
        "Ich lösche nichts von selbst: Lösche die Unterhaltung oder den Ablauf einer Fassung.",
    ),
    "problem": ("That can't be done: {0}.", "Das geht nicht: {0}."),
    "greet": ("Hello! What shall I make?", "Hallo! Was soll entstehen?"),
    "thank": ("You're welcome.", "Gern geschehen."),
    "help": (
        'Say what to make ("a dark trap beat at 140 in C minor"), what to change ("faster", "mute the drums", "more '
        'reverb on the vocals", "master it for streaming"), or what to do with a song of yours ("split it", "which '
        'key?", "as MIDI"). "undo" goes a step back, "status" says how far it is.',
        "Sag, was entstehen soll („ein dunkler Trap-Beat mit 140 in c-Moll“), was sich ändern soll („schneller“, "
        "„Drums weg“, „mehr Hall auf den Gesang“, „mastere es für Streaming“) oder was mit einem Lied von dir "
        "geschehen soll („trenn es“, „welche Tonart?“, „als MIDI“). „Rückgängig“ geht einen Schritt zurück, „Status“ "
        "sagt, wie weit es ist.",
    ),
}  # fmt: skip
STATES: Mapping[str, tuple[str, str]] = {
    "running": ("at work", "in Arbeit"),
    "succeeded": ("ready", "fertig"),
    "failed": ("failed", "gescheitert"),
    "canceled": ("stopped", "angehalten"),
}
_WITHOUT, _MASTERED, _MIXED = ("without {0}", "ohne {0}"), ("mastered ({0})", "gemastert ({0})"), ("mixed", "gemischt")
_SONG, _SPLIT = ("your song", "dein Lied"), ("split into its parts", "in seine Spuren getrennt")
_WORDS = {"undo": ("undo", "rückgängig"), "again": ("again", "nochmal"), "yes": ("yes", "ja")}


def reply(name: str, german: bool, *told: object) -> str:
    """The words of an answer; `told` fills them in."""
    return REPLIES[name][german].format(*told)


def state_word(state: str, german: bool) -> str:
    """A workflow's state, in words."""
    return STATES[state][german] if state in STATES else state


def spoken(name: str, german: bool) -> str:
    """What a button says in place of its user: `undo`, `again` or `yes`."""
    return _WORDS[name][german]


def summary(project: Project, german: bool) -> str:
    """A version in a few words, such as `trap, 140 bpm, C minor, without drums, mastered (streaming)`."""
    music: Mapping[str, Any] = project.music or {}
    parts = [str(music.get("genre") or music.get("prompt", ""))[:80] if project.music else _SONG[german]]
    if project.name:
        parts.insert(0, project.name)
    parts += [f"{music['bpm']:g} bpm"] if "bpm" in music else []
    parts += [str(music[each]) for each in ("key", "mood") if each in music]
    parts += [f"{music['duration']:g} s"] if "duration" in music else []
    muted = [name for name, settings in project.tracks.items() if settings.get("mute")]
    parts += [_WITHOUT[german].format(", ".join(muted))] if muted else []
    if (project.mixed and len(muted) < len(project.tracks)) or project.mix:
        parts.append(_MIXED[german])
    if project.master is not None:
        parts.append(_MASTERED[german].format(project.master.get("preset", "streaming")))
    parts += [_SPLIT[german]] if project.split is not None else []
    parts += [goal.kind for goal in project.goals]
    parts += [project.format] if project.format else []
    return ", ".join(each for each in parts if each)
