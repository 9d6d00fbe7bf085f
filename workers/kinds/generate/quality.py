"""How good a piece is technically: found in its signal alone. It says nothing of its worth as music."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stemsvc.kinds.generate.brief import Brief
from stemsvc.music.keys import Key
from workers.audio.analysis.analysis import Analysis, analyse
from workers.audio.track import Track
from workers.kinds.base import Attempt
from workers.kinds.generate.balance import balanced
from workers.kinds.generate.finish import CEILING_DB, TARGET_LUFS, Finished

GOOD = 0.75  # of a score from 0 to 1
NEAR_TEMPO = 0.01  # of the tempo that was asked for
OCTAVES = (1, 2, 1 / 2, 3, 1 / 3)  # times the tempo that count as the same one
NEAR_LU, FAR_LU = 1.0, 3.0
MOST_DC = 0.005
MOST_SILENCE = 0.25  # share of a piece
# What each finding counts.
WEIGHTS = {
    "unclipped": 0.15,
    "sounding": 0.1,
    "no_dc": 0.05,
    "loudness": 0.15,
    "tempo": 0.2,
    "key": 0.15,
    "beat": 0.1,
    "balance": 0.05,
    "seam": 0.05,
}


@dataclass(frozen=True)
class Quality:
    """A score from 0 to 1, what it is made of, and what was heard."""

    score: float
    parts: Mapping[str, float]
    heard: Mapping[str, Any]

    @property
    def good(self) -> bool:
        """Whether nothing need be tried again."""
        return self.score >= GOOD and self.parts["unclipped"] == 1 and self.parts["sounding"] > 0.5

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON."""
        parts = {name: round(value, 3) for name, value in self.parts.items()}
        return {"score": round(self.score, 3), "parts": parts, "heard": dict(self.heard)}


def judge(made: Finished, brief: Brief, attempt: Attempt) -> Quality:
    """Listen to a finished piece. Raises what `attempt.report` raises."""
    found = analyse(made.mix, lambda done, of: attempt.report("listening", done, of))
    signal, pulse = found.features.signal, found.pulse
    parts = {
        "unclipped": float(signal["clipping"]["clipped_samples"] == 0),
        "sounding": 1 - min(1.0, signal["silence"]["share"] / MOST_SILENCE / 2),
        "no_dc": float(max(abs(each) for each in signal["dc_offset"]) < MOST_DC),
        "loudness": _loudness(made.lufs),
        "tempo": float(tempo_right(pulse.bpm, brief.bpm)),
        "key": key_right(found, brief.key),
        "beat": min(1.0, 1.5 * (pulse.confidence or 0.0)) if pulse.bpm is not None else 0.0,
        "balance": balanced(signal["spectrum"]["bands"], brief.template.balance),
        "seam": _seam(made.mix),
    }
    heard = {
        "bpm": pulse.bpm,
        "bpm_confidence": pulse.confidence,
        "key": found.key.name if found.key else None,
        "loudness_lufs": made.lufs,
        "true_peak_dbtp": found.features.loudness.true_peak_dbtp,
        "time_signature": pulse.time_signature,
    }
    return Quality(sum(WEIGHTS[name] * value for name, value in parts.items()), parts, heard)


def tempo_right(found: float | None, asked: float) -> bool:
    """Whether the tempo is the one that was asked for, octaves aside."""
    return found is not None and any(abs(found / (asked * each) - 1) <= NEAR_TEMPO for each in OCTAVES)


def key_right(found: Analysis, asked: Key) -> float:
    """1 for the key, a half for its relative or a fifth away, 0 for another one."""
    if found.key is None:
        return 0.0
    if (found.key.tonic, found.key.minor) == (asked.tonic, asked.minor):
        return 1.0
    away = (found.key.tonic - asked.tonic) % 12
    related = away in (5, 7) if found.key.minor == asked.minor else away == (3 if asked.minor else 9)
    return 0.5 if related else 0.0


def _loudness(lufs: float | None) -> float:
    if lufs is None:
        return 0.0
    return float(np.clip((FAR_LU - abs(lufs - TARGET_LUFS)) / (FAR_LU - NEAR_LU), 0, 1))


def _seam(mix: Track) -> float:
    """1 where the end goes on into the beginning without a jump, as it must in a loop."""
    first, last = mix.read(0, 1), mix.read(mix.frames - 1, mix.frames)
    return float(np.abs(first - last).max() < 10 ** (CEILING_DB / 20) / 10)
