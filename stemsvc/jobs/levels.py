"""Levels of audio in decibels."""

from __future__ import annotations

import math


def decibels(share: float) -> float | None:
    """A peak, given as a share of full scale, in dB of full scale (dBFS, or dBTP for a true peak); None for silence."""
    return round(20 * math.log10(share), 2) if share > 0 else None
