"""Splits a piece into stems by the engine, so that they sum to it: `other` is what the three others leave."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from stemsvc.jobs.warnings import DEMO_MODEL
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import BEST, BUNDLED_MODEL
from stemsvc.models.entry import ModelEntry
from stemsvc.music.genres import STEMS
from workers.audio.track import Track, scratch_errors
from workers.host.models import OnDownload
from workers.kinds.base import Attempt

REST = "other"
PREDICTED = tuple(stem for stem in STEMS if stem != REST)


def stems_of(track: Track, folder: Path, attempt: Attempt) -> dict[str, Track]:
    """The stems of a track, in files of the folder. Raises what the engine does, and what `attempt.report` raises."""
    entry = _separator(attempt, track.sample_rate)
    converting = partial(attempt.report, "converting")
    separator = attempt.models.get(entry, attempt.device, "auto", PREDICTED, _downloading(attempt), converting)
    made = {stem: Track(folder / f"stem-{stem}.f32", "pcm_f32le", track.sample_rate, 2, track.frames) for stem in STEMS}
    options = SeparationOptions(overlap=entry.overlap)
    pieces = separator.separate(track, PREDICTED, options, lambda done, of: attempt.report("separating", done, of))
    at = 0
    with ExitStack() as open_files, contextlib.closing(pieces), scratch_errors():
        files = {stem: open_files.enter_context(each.path.open("wb")) for stem, each in made.items()}
        for piece in pieces:
            mixture = track.read(at, min(at + len(piece[PREDICTED[0]]), track.frames))
            parts = {stem: piece[stem][: len(mixture)] for stem in PREDICTED}
            parts[REST] = mixture - sum(parts.values(), np.zeros_like(mixture))
            for stem, samples in parts.items():
                files[stem].write(np.ascontiguousarray(samples, np.float32).tobytes())
            at += len(mixture)
    return made


def _separator(attempt: Attempt, rate: int) -> ModelEntry:
    """The model of jobs that name none, if it can do this; the demo model where its weights can't be had."""
    catalog = attempt.catalog
    default = catalog.get("")
    entry = default if _fits(default, rate) else catalog.get(BEST)
    why = attempt.models.lacking(entry, _downloading(attempt))
    if why is None:
        return entry
    attempt.warn(DEMO_MODEL, f"the demo model made the stems, because {entry.name} can't be had: {why}")
    return catalog.get(BUNDLED_MODEL)


def _downloading(attempt: Attempt) -> OnDownload:
    return lambda done, total: attempt.report("downloading", done, total or 0)


def _fits(entry: ModelEntry, rate: int) -> bool:
    return {*STEMS} <= {*entry.stems} and entry.sample_rate == rate
