"""How a piece's power is spread over the spectrum, beside what its genre has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stemsvc.music.genres import Balance

# Where each region ends, in Hz: these are the fields of a genre's `balance`.
EDGES: Mapping[str, float] = {"bass": 120.0, "low": 400.0, "middle": 2000.0, "high": 6000.0, "air": float("inf")}
# A region that is within NEAR_DB of the genre's own is right; one that is FAR_DB off counts nothing. Our own renders
# of a genre, over seeds, keys and tempi, are within 3 dB of it (`python -m tests.balances`).
NEAR_DB, FAR_DB = 4.0, 12.0
FLOOR_DB = -60.0  # of a region without any power


def regions(bands: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """The level of each region in dB beside the whole, of thirds of octaves; None where there is no power at all."""
    powers = {float(each["hz"]): 10 ** (float(each["db"]) / 10) for each in bands if each["db"] is not None}
    whole = sum(powers.values())
    if not whole:
        return None
    found, least = {}, 0.0
    for name, most in EDGES.items():
        share = sum(power for hertz, power in powers.items() if least <= hertz < most) / whole
        found[name] = max(FLOOR_DB, float(10 * np.log10(share))) if share > 0 else FLOOR_DB
        least = most
    return found


def balanced(bands: Sequence[Mapping[str, Any]], expected: Balance) -> float:
    """From 0 to 1: 1 where every region is as loud as the genre has it, 0 where all of them are far off."""
    found = regions(bands)
    if found is None:
        return 0.0
    off = [abs(level - getattr(expected, name)) for name, level in found.items()]
    return float(np.mean(np.clip((FAR_DB - np.asarray(off)) / (FAR_DB - NEAR_DB), 0, 1)))
