"""What a message wants: the first rule of `rules.yaml` that fits says so."""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stemsvc.assistants.chat.entities import Entities
from stemsvc.music.numbers import in_digits


class Intent(enum.StrEnum):
    """What a message can want."""

    CREATE = "generate.create"
    AGAIN = "generate.again"
    VARIATION = "generate.variation"
    CANDIDATES = "generate.candidates"
    TEMPO = "generate.tempo"
    KEY = "generate.key"
    GENRE = "generate.genre"
    MOOD = "generate.mood"
    LENGTH = "generate.length"
    FORM = "generate.form"
    MUTE = "mix.mute"
    SOLO = "mix.solo"
    UNMUTE = "mix.unmute"
    STEM_LOUDER = "mix.louder"
    STEM_QUIETER = "mix.quieter"
    PAN = "mix.pan"
    REVERB = "mix.reverb"
    TONE = "mix.tone"
    FADE = "mix.fade"
    BALANCE = "mix.balance"
    DUCK = "mix.duck"
    MASTER = "master.preset"
    LOUDNESS = "master.loudness"
    LOUDER = "master.louder"
    QUIETER = "master.quieter"
    GENTLER = "master.gentler"
    STRONGER = "master.stronger"
    UNMASTER = "master.off"
    USE = "context.use"
    UNDO = "context.undo"
    REDO = "context.redo"
    RESET = "context.reset"
    SHOW = "context.show"
    RENAME = "context.rename"
    DELETE = "context.delete"
    COMPARE = "context.compare"
    FORMAT = "context.format"
    DOWNLOAD = "context.download"
    PLAY = "context.play"
    CONFIRM = "context.confirm"
    REJECT = "context.reject"
    STOP = "context.stop"
    SEPARATE = "separate"
    KARAOKE = "karaoke"
    ANALYZE = "analyze"
    TRANSCRIBE = "transcribe"
    EXPORT = "export"
    STATUS = "status"
    HELP = "help"
    GREET = "greet"
    THANK = "thank"


FILE = Path(__file__).parent / "rules.yaml"
# What may stand behind a message that is one word of a rule and nothing else.
POLITE = r"(?:[\s,]+(?:please|bitte|then|now|jetzt|dann|it|es))*"


@dataclass(frozen=True)
class Rule:
    """One rule: the pattern must be found, and each of `needs` must hold.

    A need is the name of an entity, `no` and its name where the message must not name it, or several with `or` between.
    """

    intent: Intent
    pattern: re.Pattern[str]
    needs: tuple[str, ...] = ()

    def fits(self, text: str, found: Entities) -> bool:
        """Whether the message wants this."""
        return all(_holds(need, found) for need in self.needs) and self.pattern.search(text) is not None


def find_intent(message: str, found: Entities) -> Intent | None:
    """What the message wants; None where no rule fits."""
    text = in_digits(message)
    return next((rule.intent for rule in rules() if rule.fits(text, found)), None)


@functools.cache
def rules() -> tuple[Rule, ...]:
    """The rules, in the order in which they are tried."""
    told = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    lists = {f"<{name}>": "|".join(words) for name, words in told["words"].items()}
    return tuple(
        Rule(Intent(each["intent"]), _pattern(each, lists), tuple(each.get("needs", ()))) for each in told["rules"]
    )


def _pattern(rule: Mapping[str, Any], lists: Mapping[str, str]) -> re.Pattern[str]:
    parts = []
    if "whole" in rule:
        parts.append(rf"^\W*(?:{_any(rule['whole'])}){POLITE}\W*$")
    if "words" in rule:
        parts.append(rf"\b(?:{_any(rule['words'])})\b")
    if "pattern" in rule:
        parts.append(rule["pattern"])
    text = "|".join(parts)
    for name, words in lists.items():
        text = text.replace(name, words)
    return re.compile(text, re.IGNORECASE)


def _any(words: Sequence[str]) -> str:
    return "|".join(words)


def _holds(need: str, found: Entities) -> bool:
    return any(_named(term.removeprefix("no "), found) != term.startswith("no ") for term in need.split(" or "))


def _named(name: str, found: Entities) -> bool:
    value = getattr(found, name)
    return value is not False and value not in ("", (), None)  # a number may be 0
