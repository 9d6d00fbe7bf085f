"""Figures for the demo's table: SI-SDR, loudness, reading sound files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]


def si_sdr(estimate: Sound, reference: Sound) -> float:
    """Scale-invariant signal-to-distortion ratio in dB over all samples and channels (Le Roux et al., 2019)."""
    wanted, got = reference.astype(np.float64).ravel(), estimate.astype(np.float64).ravel()
    scale = float(got @ wanted) / max(float(wanted @ wanted), 1e-20)
    target = scale * wanted
    error = got - target
    return float(10 * np.log10(max(float(target @ target), 1e-20) / max(float(error @ error), 1e-20)))


def loudness(samples: Sound, rate: int) -> float | None:
    """Integrated loudness of [frames, channels] in LUFS (ITU-R BS.1770-4); None for silence or less than 0.4 s."""
    import pyloudnorm

    if len(samples) < 0.4 * rate:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(pyloudnorm.Meter(rate).integrated_loudness(samples))
    return value if np.isfinite(value) else None


def read_sound(path: Path) -> tuple[Sound, int]:
    """Samples [frames, channels] and rate of a sound file."""
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples, int(rate)
