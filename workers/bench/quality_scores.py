"""How good a separated stem is beside the true one: the field's measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from workers.engine.families.bands import mel_filters

Sound = NDArray[np.float32]
TINY = 1e-8  # against a division by 0, as in MSST's measures
SIZE, HOP, BANDS = 4096, 1024, 512  # of the spectra of bleedless and fullness
FLOOR_DB = 80.0  # below the loudest value nothing counts there


@dataclass(frozen=True)
class Windows:
    """Energies of a stem and of its error in each second, and whether the stem or its estimate is silent there."""

    signal: NDArray[np.float64]
    error: NDArray[np.float64]
    silent: NDArray[np.bool_]


def windows(truth: Sound, estimate: Sound, rate: int) -> Windows:
    """The seconds of a stem [frames, 2]; what is shorter than a second is one window, and a last part of one none."""
    count = max(1, len(truth) // rate)
    signal, error, silent = np.zeros(count), np.zeros(count), np.zeros(count, bool)
    for index in range(count):
        part = slice(index * rate, (index + 1) * rate)
        true, made = truth[part].astype(np.float64), estimate[part].astype(np.float64)
        signal[index], error[index] = np.sum(true**2), np.sum((true - made) ** 2)
        silent[index] = not true.any() or not made.any()
    return Windows(signal, error, silent)


def museval_sdr(stems: Mapping[str, Windows]) -> dict[str, float]:
    """The median SDR over the seconds of a track, in dB, as museval gives it (BSS Eval v4).

    There the SDR of images is the energy of the stem over that of the whole error: its filters only part the error.
    As there, a second counts only if no stem and no estimate is silent in it. NaN where none counts.
    """
    counted = ~np.any([each.silent for each in stems.values()], axis=0)
    found = {}
    for stem, each in stems.items():
        with np.errstate(divide="ignore"):
            ratios = 10 * np.log10(each.signal[counted] / each.error[counted])
        found[stem] = float(np.median(ratios)) if len(ratios) else float("nan")
    return found


def whole_sdr(each: Windows, rest: tuple[float, float] = (0.0, 0.0)) -> float:
    """The SDR of a whole track in dB, as MSST and the challenges give it; `rest` are the energies after the windows."""
    return float(10 * np.log10((each.signal.sum() + rest[0] + TINY) / (each.error.sum() + rest[1] + TINY)))


def si_sdr(truth: Sound, estimate: Sound) -> float:
    """The scale-invariant SDR of a whole track in dB (Le Roux et al., 2019), both channels as one signal."""
    true, made = truth.astype(np.float64).ravel(), estimate.astype(np.float64).ravel()
    scaled = true * ((made @ true + TINY) / (true @ true + TINY))
    difference = scaled - made
    return float(10 * np.log10((scaled @ scaled + TINY) / (difference @ difference + TINY)))


def bleedless_and_fullness(truth: Sound, estimate: Sound, rate: int) -> tuple[float, float]:
    """From 0 to 100: how little is heard that is not the stem's, and how much of the stem is heard.

    As MSST defines them: 100 / (1 + mean), over those values of a mel spectrum in dB in which the estimate is louder
    than the truth, and over those in which it is quieter.
    """
    filters = torch.from_numpy(mel_filters(rate, SIZE, BANDS))
    difference = _decibels(estimate, filters) - _decibels(truth, filters)
    louder, quieter = difference[difference > 0], -difference[difference < 0]
    means = [float(each.mean()) if each.numel() else 0.0 for each in (louder, quieter)]
    return 100 / (1 + means[0]), 100 / (1 + means[1])


def _decibels(sound: Sound, filters: torch.Tensor) -> torch.Tensor:
    """Mel magnitudes in dB, [channels, bands, frames], none more than 80 dB below the loudest."""
    window = torch.hann_window(SIZE)
    levels = []
    for channel in sound.T:
        wave = torch.from_numpy(np.ascontiguousarray(channel))
        z = torch.stft(wave, SIZE, HOP, window=window, pad_mode="constant", return_complex=True)
        levels.append(20 * torch.log10((filters @ z.abs()).clamp(min=1e-10)))
    found = torch.stack(levels)
    return found.clamp(min=float(found.max()) - FLOOR_DB)


def mean_of(values: Sequence[float]) -> float:
    """The mean of those that are numbers; NaN where none is."""
    counted = [value for value in values if np.isfinite(value)]
    return float(np.mean(counted)) if counted else float("nan")


def median_of(values: Sequence[float]) -> float:
    """The median of those that are numbers; NaN where none is."""
    counted = [value for value in values if not np.isnan(value)]
    return float(np.median(counted)) if counted else float("nan")
