"""What a client may ask of a piece of music."""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.music.genres import STEMS

MIN_BPM, MAX_BPM = 60.0, 200.0
MIN_SECONDS, MAX_SECONDS = 5.0, 300.0
DEFAULT_SECONDS = 30.0
MOST_PROMPT = 1000  # characters
MOST_NAME = 200  # the same
MOST_CANDIDATES = 4
MOST_SECTIONS = 24
MAX_SEED = 2**31 - 1
# How long sections are beside each other.
SECTIONS = {"intro": 1.0, "verse": 2.0, "chorus": 2.0, "bridge": 1.0, "break": 1.0, "drop": 2.0, "outro": 1.0}
CHANGES = (*STEMS, *SECTIONS)
SKETCH = "sketch"  # the model that needs no weights
ORIGINAL = "original"  # the role of the piece that a variation is made of
MELODY = "melody"  # the role of a track whose melody is followed
SCORE = "score"  # the output that tells it


@dataclass(frozen=True)
class GenerateParams:
    """What was asked for; empty and None where that is left open.

    `duration` is in seconds, exact to the sample. `key` is such as `C minor`. `form` names sections of `SECTIONS`.
    `change` is what a variation changes of its original, one of `CHANGES`. The same seed makes the same piece.
    """

    prompt: str = ""
    genre: str = ""
    bpm: float | None = None
    key: str = ""
    mood: str = ""
    duration: float | None = None
    seed: int = 0
    stems: bool = False
    form: tuple[str, ...] = ()
    change: str = ""
    model: str = ""
    candidates: int = 1
    name: str = ""
