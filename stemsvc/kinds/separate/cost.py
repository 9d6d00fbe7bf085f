"""How long a separation computes, from its model, its options and the track's length."""

from __future__ import annotations

from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import ModelEntry


def predict_seconds(entry: ModelEntry, options: SeparationOptions, track_seconds: float) -> float:
    """Seconds that the reference machine (two cores of an AMD EPYC) computes for all stems of a track."""
    segment = options.segment or entry.segment_seconds
    passes = max(1, options.shifts) / (1 - options.overlap)
    # a segment that is shorter than the network's own is padded to it
    return track_seconds * entry.cost * passes * max(1.0, entry.segment_seconds / segment)
