"""How the RoFormers cut a spectrum into bands, and how they make masks of what they learn about each band."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from workers.engine.families.transformer import RMSNorm

# From BS-RoFormer's paper, for a transform of 2048: bins of each band.
USUAL_BANDS = (2,) * 24 + (4,) * 12 + (12,) * 8 + (24,) * 8 + (48,) * 8 + (128, 129)


def mel_bands(rate: int, size: int, count: int) -> NDArray[np.bool_]:
    """Which bins of a transform of `size` each of `count` mel bands has, [bands, bins].

    A band has the bins of which its filter is above 0. As in MSST the first band also has bin 0, and the last one the
    highest bin.
    """
    inside = mel_filters(rate, size, count) > 0
    inside[0, 0] = inside[-1, -1] = True
    return inside


def mel_filters(rate: int, size: int, count: int) -> NDArray[np.float32]:
    """Slaney's triangular filters of the Auditory Toolbox (1998), each of the area 1, as librosa has them.

    [bands, bins] of a transform of `size`.
    """
    edges = _hertz(np.linspace(0, _mel(rate / 2), count + 2))
    bins = np.fft.rfftfreq(size, 1 / rate)
    distance, widths = edges[:, None] - bins, np.diff(edges)[:, None]
    triangles = np.maximum(0, np.minimum(-distance[:-2] / widths[:-1], distance[2:] / widths[1:]))
    return (triangles.astype(np.float32) * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


# Slaney's scale: linear up to 1 kHz, then 27 steps for each factor of 6.4.
_LINEAR, _BREAK, _STEP = 200 / 3, 1000.0, np.log(6.4) / 27


def _mel(hertz: float) -> float:
    return float(hertz / _LINEAR if hertz < _BREAK else _BREAK / _LINEAR + np.log(hertz / _BREAK) / _STEP)


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    line = _BREAK / _LINEAR
    return np.where(mel < line, mel * _LINEAR, _BREAK * np.exp(_STEP * (mel - line)))


class BandSplit(nn.Module):
    """Makes `size` features of each band's numbers."""

    def __init__(self, size: int, widths: Sequence[int]) -> None:
        super().__init__()
        self._widths = list(widths)
        self.to_features = nn.ModuleList(nn.Sequential(RMSNorm(width), nn.Linear(width, size)) for width in widths)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, frames, all widths] -> [batch, frames, bands, size]."""
        parts = zip(self.to_features, x.split(self._widths, dim=-1), strict=True)
        return torch.stack([to_feature(part) for to_feature, part in parts], dim=-2)


class MaskEstimator(nn.Module):
    """Makes one stem's mask, a complex number for each bin of each band, of the bands' features."""

    def __init__(self, size: int, widths: Sequence[int], hidden: int, hidden_layers: int) -> None:
        super().__init__()
        self.to_freqs = nn.ModuleList(
            nn.Sequential(_perceptron([size, *[hidden] * hidden_layers, 2 * width]), nn.GLU(dim=-1)) for width in widths
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, frames, bands, size] -> [batch, frames, all widths]."""
        parts = zip(self.to_freqs, x.unbind(dim=-2), strict=True)
        return torch.cat([to_freq(part) for to_freq, part in parts], dim=-1)


def _perceptron(sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for narrow, wide in itertools.pairwise(sizes):
        layers += [nn.Linear(narrow, wide), nn.Tanh()]
    return nn.Sequential(*layers[:-1])
