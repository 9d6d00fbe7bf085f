"""Stems without drums, in which key and chords are heard best: from the job's inputs, an earlier job, or made now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from stemsvc.errors import StemsMismatch
from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.analyze import AnalyzeParams
from stemsvc.kinds.separate.kind import KIND as SEPARATE
from stemsvc.kinds.separate.kind import SeparateParams
from stemsvc.kinds.separate.stems import without_drums
from workers.audio.decode_process import decode_apart
from workers.audio.rate import resample_track
from workers.audio.track import Track
from workers.kinds.base import Attempt, LocalInput

NEAR_SECONDS = 0.1  # by which stems may be longer or shorter than their song


def given(inputs: Sequence[LocalInput], track: Track, attempt: Attempt) -> list[Track]:
    """The job's stems, decoded. Raises `UsageError` `stems_mismatch` where they are not those of the track."""
    stems = {each.output or _called(each.name): each for each in inputs if each.role == "stem"}
    if not stems:
        return []
    names = without_drums(stems)
    if not names:
        raise StemsMismatch(f"of the stems {', '.join(stems)} no sound without drums can be made")
    return [_decoded(stems[name].path, number, track, attempt) for number, name in enumerate(names)]


def earlier(source: LocalInput, track: Track, attempt: Attempt) -> list[Track]:
    """The stems of the latest separation of the same file, decoded; none where none is as long as the track."""

    def choose(outputs: Mapping[str, Mapping[str, Any]]) -> list[str]:
        lengths = {name: float(facts.get("duration_seconds") or 0) for name, facts in outputs.items()}
        return without_drums(name for name, seconds in lengths.items() if abs(seconds - track.seconds) <= NEAR_SECONDS)

    files = attempt.earlier(SEPARATE.name, source, choose)
    return [_decoded(each.path, number, track, attempt) for number, each in enumerate(files)]


def _decoded(path: Path, number: int, track: Track, attempt: Attempt) -> Track:
    spool = attempt.folder / f"stem-{number}.f32"
    tick = partial(attempt.report, "decoding")
    stem = decode_apart(path, spool, attempt.limits, tick)
    stem = resample_track(stem, track.sample_rate, attempt.folder / f"stem-{number}.resampled.f32", tick)
    if abs(stem.seconds - track.seconds) > NEAR_SECONDS:
        detail = f"a stem plays {stem.seconds:.2f} s and the track {track.seconds:.2f} s: they don't belong together"
        raise StemsMismatch(detail)
    return stem


def separated(source: Path, params: AnalyzeParams, attempt: Attempt) -> list[Track]:
    """The track without its drums, separated now; the caller holds the device. Raises what `separate_file` raises."""
    from workers.kinds.separate.separate import separate_file

    wanted = SeparateParams(params.model, ("minus_drums",), part=params.part)
    entry = attempt.catalog.get(params.model)
    if "drums" not in entry.stems:
        return []
    wanted = SEPARATE.check(wanted, ("source",), attempt.catalog)
    folder = attempt.folder / "stems"
    folder.mkdir()
    made = separate_file(
        source,
        folder,
        wanted,
        Encoding("wav", "float32", tags=False),
        entry,
        attempt.device,
        attempt.models,
        attempt.limits,
        attempt.report,
    )
    without = made.outputs["minus_drums"]
    stem = decode_apart(without.path, folder / "harmony.f32", attempt.limits, lambda: attempt.report("decoding"))
    return [replace(stem, channels=made.track.channels)]


def _called(name: str) -> str:
    """The stem that a file's name says: `bass` of "Song - bass.flac" and of "bass.wav"."""
    return name.rsplit(".", 1)[0].rsplit(" - ", 1)[-1].strip().lower()
