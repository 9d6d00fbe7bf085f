"""The filters between the bands of the family VR, as numbers for each bin and as impulse responses."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray

from stemsvc.models.vr import Band, Layout

Gains = NDArray[np.float64]
# Of Ultimate Vocal Remover: what the left and right of a band become (rows), and how they become left and right again.
MIXES = {
    "mid_side": (((0.5, 0.5), (1, -1)), ((1, 0.5), (1, -0.5))),
    "mid_side_b2": (((0.5, 1), (1, -0.5)), ((0.4, 0.8), (0.8, -0.4))),
    "mid_side_c": (((1, 0.25), (-0.25, 1)), ((1 / 1.0625, -1 / 4.25), (1 / 4.25, 1 / 1.0625))),
    "stereo_n": (((1 / 0.9375, 0.25 / 0.9375), (0.25 / 0.9375, 1 / 0.9375)), ((1, -0.25), (-0.25, 1))),
}


def heard(layout: Layout, new: bool) -> Gains:
    """What each bin of the joined bands is multiplied with before the network, [bins + 1]."""
    first, last, count = layout.pre_filter_start, layout.pre_filter_stop, layout.bins + 1
    if first <= 0:
        return np.ones(count)
    if new:
        return _new_low_pass(count, first, last)
    if len(layout.band) == 1:
        return _low_pass(count, first, last)
    gains, gain = np.ones(count), 1.0
    for at in range(first + 1, last):
        gain = 10 ** (-(at - first) * (3.5 - gain) / 20)
        gains[at] = gain
    return gains


def faded(layout: Layout, new: bool) -> list[Gains]:
    """What each bin of each band's transform is multiplied with where the bands are joined again."""
    bands, made = layout.bands, []
    for band in bands:
        count = band.n_fft // 2 + 1
        gains = np.ones(count)
        if band is not bands[0] or len(bands) == 1:
            gains = _high(band, count, new)
        if band is not bands[-1]:
            low = _new_low_pass if new else _low_pass
            gains = gains * low(count, band.lpf_start, band.lpf_stop)
        made.append(gains)
    return made


def _high(band: Band, count: int, new: bool) -> Gains:
    if band.hpf_start <= 0:
        return np.ones(count)
    first, last = band.hpf_start, band.hpf_stop - 1
    if new:
        rising = np.linspace(0, 1, 1 + first - last)
        return np.concatenate([np.zeros(last + 1), rising, np.ones(count - first - 2)])
    gains = np.ones(count)
    gains[first:last:-1] = 1 - np.arange(1, first - last + 1) / (first - last)
    gains[: last + 1] = 0
    return gains


def _low_pass(count: int, first: int, last: int) -> Gains:
    gains = np.ones(count)
    if last > first:
        gains[first:last] = 1 - np.arange(1, last - first + 1) / (last - first)
    gains[last:] = 0
    return gains


def _new_low_pass(count: int, first: int, last: int) -> Gains:
    return np.concatenate([np.ones(first - 1), np.linspace(1, 0, last - first + 1), np.zeros(count - last)])


def thinning(factor: int) -> torch.Tensor:
    """The response with which scipy's `resample_poly` takes one sample of `factor`: symmetric, an odd length."""
    from scipy.signal import firwin

    half = 10 * factor
    return torch.from_numpy(firwin(2 * half + 1, 1 / factor, window=("kaiser", 5.0)).astype(np.float32))


@functools.cache
def filling(factor: int) -> torch.Tensor:
    """The response with which libsamplerate's fastest filter makes `factor` samples of one: symmetric, an odd length.

    It is measured: the library resamples one impulse.
    """
    import samplerate

    around = 64
    impulse = np.zeros(2 * around + 1, np.float32)
    impulse[around] = 1
    made = np.asarray(samplerate.resample(impulse, factor, "sinc_fastest"), np.float32)
    middle = around * factor
    reach = int(np.abs(np.flatnonzero(made) - middle).max())
    return torch.from_numpy(made[middle - reach : middle + reach + 1].copy())
