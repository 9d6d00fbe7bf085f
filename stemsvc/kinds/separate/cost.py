"""How long a separation computes, from its model, its options and the track's length."""

from __future__ import annotations

from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.entry import ModelEntry


def predict_seconds(entry: ModelEntry, options: SeparationOptions, track_seconds: float) -> float:
    """Seconds that the reference machine (two cores of an AMD EPYC) computes for all stems of a track."""
    segment = options.segment or entry.segment_seconds
    if entry.steps:
        members = [entry.parts[name] for step in entry.steps for name in step.models]
        return sum(predict_seconds(member, options, track_seconds) for member in members)
    overlap = entry.overlap if options.overlap is None else options.overlap
    passes = max(1, options.shifts) / (1 - overlap)
    # a segment that is shorter than the network's own is padded to it
    return track_seconds * entry.cost * passes * max(1.0, entry.segment_seconds / segment)
