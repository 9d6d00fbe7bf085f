"""A track's bands as the family VR hears them: each at its own rate, in its own Fourier transform; and back again.

A band's samples and frames outside of the track count as nothing, so that what a chunk gives does not depend on where
the chunk lies. `inside` says of each sample whether it is one of the track's.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - as everyone calls it

from stemsvc.models.vr import Layout
from workers.engine.families.vr_filters import MIXES, faded, filling, heard, thinning

TINY = 1e-10  # a sum of squared windows below it holds nothing


class Bands:
    """The bands of a layout; `new` are networks of version 5.1."""

    def __init__(self, layout: Layout, new: bool) -> None:
        self.layout = layout
        self.hop = layout.bands[-1].hl
        self._factors = [high.sr // low.sr for low, high in itertools.pairwise(layout.bands)]
        self._thin = [thinning(factor) if factor > 1 else torch.ones(1) for factor in self._factors]
        self._fill = [filling(factor) if factor > 1 else torch.ones(1) for factor in self._factors]
        flags = "mid_side" if layout.mid_side else "mid_side_b2" if layout.mid_side_b2 else None
        kinds = [band.convert_channels if new else flags for band in layout.bands]
        pairs = [MIXES[kind] if kind else (((1, 0), (0, 1)),) * 2 for kind in kinds]
        self._mix = [torch.tensor(pair[0], dtype=torch.float32) for pair in pairs]
        self._unmix = [torch.tensor(pair[1], dtype=torch.float32) for pair in pairs]
        self._heard = torch.from_numpy(heard(layout, new).astype(np.float32))
        self._faded = [torch.from_numpy(gains.astype(np.float32)) for gains in faded(layout, new)]

    @property
    def reach(self) -> int:
        """Frames on each side of a frame whose samples it can hear, or that can hear it."""
        samples = 0
        for at, band in enumerate(self.layout.bands):
            above = [self.layout.sr // high.sr for high in self.layout.bands[at + 1 :]]
            filters = (zip(responses[at:], above, strict=True) for responses in (self._thin, self._fill))
            longest = max(sum(len(each) * up for each, up in pairs) for pairs in filters)
            samples = max(samples, band.n_fft // 2 * (self.layout.sr // band.sr) + longest // 2)
        return math.ceil(samples / self.hop) + 1

    def spectrum(self, wave: torch.Tensor, inside: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[batch, 2, samples] and [batch, samples] -> spectra [batch, 2, bins + 1, frames], frames in the track.

        The first frame is centred on the first sample; there is one for each hop. Of the track are [batch, frames + 1].
        """
        bands = self.layout.bands
        frames = wave.shape[-1] // self.hop
        parts: list[torch.Tensor] = []
        samples = wave * inside[:, None]
        for at in reversed(range(len(bands))):
            if at < len(self._factors):
                samples = self._thinner(samples, inside, at)
            mixed = torch.einsum("oc,bcn->bon", self._mix[at].to(wave.device), samples)
            parts.insert(0, self._transformed(mixed, at)[..., :frames])
        joined = torch.cat(parts, 2)
        joined = F.pad(joined, (0, 0, 0, self.layout.bins + 1 - joined.shape[2]))
        valid = _frames_inside(inside, self.hop)
        return joined * self._heard.to(wave.device)[:, None] * valid[:, None, None, :frames], valid

    def wave(self, z: torch.Tensor, first: int, valid: torch.Tensor) -> torch.Tensor:
        """What frames [batch, stems, 2, bins + 1, n] from `first` on give of a chunk: [batch, stems, 2, samples]."""
        total: torch.Tensor | None = None
        at_bin = 0
        for at, band in enumerate(self.layout.bands):
            size = band.crop_stop - band.crop_start
            full = z.new_zeros(*z.shape[:-2], band.n_fft // 2 + 1, z.shape[-1])
            full[..., band.crop_start : band.crop_stop, :] = z[..., at_bin : at_bin + size, :]
            at_bin += size
            sound = self._inverse(full * self._faded[at].to(z.device)[:, None], at, first, valid)
            sound = torch.einsum("oc,bscn->bson", self._unmix[at].to(z.device), sound)
            total = sound if total is None else total + sound
            if at < len(self._factors):
                total = self._fuller(total, at) * _samples_inside(valid, self.layout.bands[at + 1].hl)[:, None, None]
        assert total is not None
        return total

    def _thinner(self, samples: torch.Tensor, inside: torch.Tensor, at: int) -> torch.Tensor:
        """The samples of the next lower band."""
        factor = self._factors[at]
        if factor == 1:
            return samples
        response = self._thin[at].to(samples.device)
        flat = samples.reshape(-1, 1, samples.shape[-1])
        made = F.conv1d(flat, response[None, None], stride=factor, padding=len(response) // 2)
        every = self.layout.sr // self.layout.bands[at].sr
        return made.view(*samples.shape[:-1], -1) * inside[:, None, ::every]

    def _fuller(self, samples: torch.Tensor, at: int) -> torch.Tensor:
        """The samples at the rate of the next higher band."""
        factor = self._factors[at]
        if factor == 1:
            return samples
        response = self._fill[at].to(samples.device)
        flat = samples.reshape(-1, 1, samples.shape[-1])
        made = F.conv_transpose1d(
            flat, response[None, None], stride=factor, padding=len(response) // 2, output_padding=factor - 1
        )
        return made.view(*samples.shape[:-1], -1)

    def _transformed(self, samples: torch.Tensor, at: int) -> torch.Tensor:
        band = self.layout.bands[at]
        window = torch.hann_window(band.n_fft, device=samples.device)
        flat = samples.reshape(-1, samples.shape[-1])
        z = torch.stft(flat, band.n_fft, band.hl, window=window, pad_mode="constant", return_complex=True)
        return z.view(*samples.shape[:-1], *z.shape[-2:])[..., band.crop_start : band.crop_stop, :]

    def _inverse(self, z: torch.Tensor, at: int, first: int, valid: torch.Tensor) -> torch.Tensor:
        band = self.layout.bands[at]
        window = torch.hann_window(band.n_fft, device=z.device)
        count = valid.shape[-1] - 1
        parts = torch.fft.irfft(z, band.n_fft, dim=-2) * window[:, None]
        made = _added(parts.reshape(-1, band.n_fft, z.shape[-1]), band.hl).view(*z.shape[:-2], -1)
        whole = (window**2)[None, :, None] * valid[:, None]
        weight = _added(whole, band.hl)[:, band.n_fft // 2 :][:, : count * band.hl]
        begin = first * band.hl - band.n_fft // 2
        out = made.new_zeros(*made.shape[:-1], count * band.hl)
        out[..., begin : begin + made.shape[-1]] = made
        weight = torch.where(weight > TINY, 1 / weight.clamp(min=TINY), 0)
        return out * (weight * _samples_inside(valid, band.hl))[:, None, None]


def _added(parts: torch.Tensor, hop: int) -> torch.Tensor:
    """Frames [n, size, frames], a hop apart, added up: [n, samples]."""
    size, frames = parts.shape[-2:]
    length = (frames - 1) * hop + size
    return F.fold(parts, (1, length), (1, size), stride=(1, hop))[:, 0, 0]


def _frames_inside(inside: torch.Tensor, hop: int) -> torch.Tensor:
    """Which frames' centres lie in the track or right at its end, [batch, frames + 1]; the last is that at the end."""
    before = F.pad(inside[:, :-1], (1, 0))
    either = torch.maximum(inside, before)[:, ::hop]
    return torch.cat([either, inside[:, -1:]], 1)


def _samples_inside(valid: torch.Tensor, hop: int) -> torch.Tensor:
    """Which samples lie between two frames of the track, [batch, samples]: others are not given back."""
    return (valid[:, :-1] * valid[:, 1:]).repeat_interleave(hop, dim=1)
