"""What an `analysis.json` says of a song: tempo, bars, sections."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemsvc.errors import BadOptions
from workers.audio.tempo_map import TempoMap, from_beats, steady
from workers.kinds.export.session import Marker, tidy

MOST_BYTES = 32 << 20  # of an analysis of the longest track there are some millions
MOST_MARKERS = 1000
MOST_BEATS = 2_000_000
KEY = re.compile(r"[A-G][#b]? (major|minor)")


@dataclass(frozen=True)
class Timing:
    """Tempo and bars, markers for sections, and the key as musicians say it. `told`: the tempo is no guess."""

    tempo: TempoMap
    markers: tuple[Marker, ...] = ()
    key: str = ""
    told: bool = True

    @property
    def short_key(self) -> str:
        """As in file names: `F#m` for F# minor, `C` for C major; empty where the key is not known."""
        tonic, _, mode = self.key.partition(" ")
        return tonic + ("m" if mode == "minor" else "")


def read_analysis(path: Path) -> Timing:
    """What an analysis says. Raises `UsageError` `bad_options` for a file that is none."""
    if path.stat().st_size > MOST_BYTES:
        raise BadOptions(f"the analysis has more than {MOST_BYTES >> 20} MiB: it is no analysis.json")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadOptions("the analysis is not JSON: send the analysis.json of a job of POST /v1/analyses") from error
    if not isinstance(told, dict):
        raise BadOptions("the analysis is no JSON object: send the analysis.json of a job of POST /v1/analyses")
    key = told.get("key")
    return Timing(
        _tempo(told), _markers(told), key if isinstance(key, str) and KEY.fullmatch(key) else "", _counted(told)
    )


def _counted(told: dict[str, Any]) -> bool:
    """Whether it says a tempo at all."""
    return bool(told.get("bpm") or told.get("beats"))


def _tempo(told: dict[str, Any]) -> TempoMap:
    metre = str(told.get("time_signature") or "4/4").split("/")[0]
    per_bar = int(metre) if metre.isdigit() and 1 <= int(metre) <= 16 else 4
    beats, downbeats = (_times(told.get(name)) for name in ("beats", "downbeats"))
    if len(beats) > 1:
        return from_beats(beats, downbeats, per_bar)
    bpm = told.get("bpm")
    if isinstance(bpm, int | float) and 1 <= bpm <= 999:
        return steady(float(bpm), per_bar)
    return steady(beats_per_bar=per_bar)


def _times(given: Any) -> list[float]:
    """Rising times in seconds. Raises `UsageError` `bad_options`."""
    if not given:
        return []
    if not isinstance(given, list) or len(given) > MOST_BEATS:
        raise BadOptions("the analysis has beats that are no list of seconds")
    if not all(isinstance(each, int | float) and math.isfinite(each) and 0 <= each < 1e6 for each in given):
        raise BadOptions("the analysis has beats that are no seconds")
    times = [float(each) for each in given]
    if any(after <= before for before, after in itertools.pairwise(times)):
        raise BadOptions("the analysis has beats that are not in order")
    return times


def _markers(told: dict[str, Any]) -> tuple[Marker, ...]:
    sections = told.get("sections") or []
    if not isinstance(sections, list):
        raise BadOptions("the analysis has sections that are no list")
    found = []
    for section in sections[:MOST_MARKERS]:
        start = section.get("start") if isinstance(section, dict) else None
        if not isinstance(start, int | float) or not (math.isfinite(start) and start >= 0):
            raise BadOptions("the analysis has a section without a start")
        found.append(Marker(float(start), tidy(str(section.get("label") or "section"))[:100]))
    return tuple(found)
