"""The networks of the family VR, old and of version 5.1: [batch, 2, bins, frames] of magnitudes -> masks.

They were published with Ultimate Vocal Remover and tsurumeso's vocal-remover; the names in the state are theirs. Both
look at the low and the high half of the bins first, then at all of them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as everyone calls it

from workers.engine.families.network import Poll

DILATIONS = (4, 8, 16)  # of the old pyramids
NEW_DILATIONS = ((4, 2), (8, 4), (12, 6))


class _Conv(nn.Module):
    """Convolution without a bias, norm, activation. `apart`: a convolution for each channel, then one across them."""

    def __init__(
        self,
        wide: int,
        out: int,
        size: int = 1,
        stride: int = 1,
        dilation: Any = 1,
        leaky: bool = False,
        apart: bool = False,
    ):
        super().__init__()
        pad: Any = tuple(dilation) if isinstance(dilation, tuple) else dilation * (size // 2)
        first = nn.Conv2d(
            wide, wide if apart else out, size, stride, pad, dilation, groups=wide if apart else 1, bias=False
        )
        across = [nn.Conv2d(wide, out, 1, bias=False)] if apart else []
        self.conv = nn.Sequential(first, *across, nn.BatchNorm2d(out), nn.LeakyReLU() if leaky else nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)  # type: ignore[no-any-return]


class _Down(nn.Module):
    """Two convolutions, one of which halves the picture: the second in old networks, the first in new ones."""

    def __init__(self, wide: int, out: int, new: bool) -> None:
        super().__init__()
        self.conv1 = _Conv(wide, out, 3, 2 if new else 1, leaky=True)
        self.conv2 = _Conv(out, out, 3, 1 if new else 2, leaky=True)


class _Up(nn.Module):
    """Doubles the picture, joins it with an earlier one, and convolves."""

    def __init__(self, wide: int, out: int, new: bool) -> None:
        super().__init__()
        self._name = "conv1" if new else "conv"
        self.add_module(self._name, _Conv(wide, out, 3))

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        beyond = (skip.shape[3] - x.shape[3]) // 2
        joined = torch.cat([x, skip[..., beyond : beyond + x.shape[3]]], 1)
        return self.get_submodule(self._name)(joined)  # type: ignore[no-any-return]


class _Pyramid(nn.Module):
    """Convolutions of several reaches side by side, and the mean over the bins."""

    def __init__(self, wide: int, out: int, count: int, new: bool) -> None:
        super().__init__()
        inner = out if new else wide
        self.conv1 = nn.Sequential(nn.AdaptiveAvgPool2d((1, None)), _Conv(wide, inner))
        self.conv2 = _Conv(wide, inner)
        for at, dilation in enumerate(NEW_DILATIONS if new else DILATIONS):
            self.add_module(f"conv{at + 3}", _Conv(wide, inner, 3, dilation=dilation, apart=not new))
        if count > 5:
            extra = _Conv(wide, inner, 3, dilation=DILATIONS[2], apart=True)  # one module under both names
            for at in range(6, count + 1):
                self.add_module(f"conv{at}", extra)
        self._count = count
        joined = _Conv(inner * count, out)
        self.bottleneck = joined if new else nn.Sequential(joined)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = F.interpolate(self.conv1(x), size=x.shape[2:], mode="bilinear", align_corners=True)
        others = [self.get_submodule(f"conv{at}")(x) for at in range(2, self._count + 1)]
        return self.bottleneck(torch.cat([mean, *others], 1))  # type: ignore[no-any-return]


class _OldNet(nn.Module):
    """A U-Net of four scales, or of five around a pyramid of six convolutions."""

    def __init__(self, wide: int, size: int, count: int) -> None:
        super().__init__()
        self._depth = 5 if count == 6 else 4
        sizes = [size * 2**level for level in range(self._depth)]
        for level, out in enumerate(sizes, 1):
            self.add_module(f"enc{level}", _Down(wide, out, new=False))
            wide = out
        self.aspp = _Pyramid(wide, 2 * wide, count, new=False)
        x = 2 * wide
        for level in range(self._depth, 0, -1):
            self.add_module(f"dec{level}", _Up(sizes[level - 1] + x, sizes[level - 1], new=False))
            x = sizes[level - 1]

    def run(self, x: torch.Tensor, poll: Poll) -> torch.Tensor:
        skips = []
        for level in range(1, self._depth + 1):
            poll()
            down: Any = self.get_submodule(f"enc{level}")
            skips.append(down.conv1(x))
            x = down.conv2(skips[-1])
        x = self.aspp(x)
        for level in range(self._depth, 0, -1):
            poll()
            x = self.get_submodule(f"dec{level}")(x, skips.pop())
        return x


class OldNetwork(nn.Module):
    """Three stages: the halves apart, all bins, all bins again."""

    def __init__(self, channels: int, convolutions: int) -> None:
        super().__init__()
        size = channels
        self.stg1_low_band_net = _OldNet(2, size, convolutions)
        self.stg1_high_band_net = _OldNet(2, size, convolutions)
        self.stg2_bridge = _Conv(size + 2, size // 2)
        self.stg2_full_band_net = _OldNet(size // 2, size, convolutions)
        self.stg3_bridge = _Conv(2 * size + 2, size)
        self.stg3_full_band_net = _OldNet(size, 2 * size, convolutions)
        self.out = nn.Conv2d(2 * size, 2, 1, bias=False)
        self.aux1_out = nn.Conv2d(size, 2, 1, bias=False)  # only training reads these two
        self.aux2_out = nn.Conv2d(size, 2, 1, bias=False)

    def mask(self, x: torch.Tensor, poll: Poll) -> torch.Tensor:
        """Masks of the same shape, between 0 and 1."""
        half = x.shape[2] // 2
        low = self.stg1_low_band_net.run(x[:, :, :half], poll)
        first = torch.cat([low, self.stg1_high_band_net.run(x[:, :, half:], poll)], 2)
        second = self.stg2_full_band_net.run(self.stg2_bridge(torch.cat([x, first], 1)), poll)
        third = self.stg3_full_band_net.run(self.stg3_bridge(torch.cat([x, first, second], 1)), poll)
        return torch.sigmoid(self.out(third))


class _Memory(nn.Module):
    """One channel of the picture through an LSTM along the frames, both ways."""

    def __init__(self, wide: int, bins: int, hidden: int) -> None:
        super().__init__()
        self.conv = _Conv(wide, 1)
        self.lstm = nn.LSTM(bins, hidden // 2, bidirectional=True)
        self.dense = nn.Sequential(nn.Linear(hidden, bins), nn.BatchNorm1d(bins), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, _, bins, frames = x.shape
        told, _ = self.lstm(self.conv(x)[:, 0].permute(2, 0, 1))
        made = self.dense(told.reshape(-1, told.shape[-1]))
        return made.reshape(frames, batch, 1, bins).permute(1, 2, 3, 0)  # type: ignore[no-any-return]


class _NewNet(nn.Module):
    """A U-Net of four scales with an LSTM."""

    def __init__(self, wide: int, size: int, bins: int, hidden: int) -> None:
        super().__init__()
        self.enc1 = _Conv(wide, size, 3)
        sizes = [size * share for share in (1, 2, 4, 6, 8)]
        for level in range(2, 6):
            self.add_module(f"enc{level}", _Down(sizes[level - 2], sizes[level - 1], new=True))
        self.aspp = _Pyramid(sizes[4], sizes[4], 5, new=True)
        for level in (4, 3, 2):
            self.add_module(f"dec{level}", _Up(sizes[level - 1] + sizes[level], sizes[level - 1], new=True))
        self.lstm_dec2 = _Memory(sizes[1], bins, hidden)
        self.dec1 = _Up(sizes[0] + sizes[1] + 1, size, new=True)

    def run(self, x: torch.Tensor, poll: Poll) -> torch.Tensor:
        skips = [self.enc1(x)]
        for level in range(2, 6):
            poll()
            down: Any = self.get_submodule(f"enc{level}")
            skips.append(down.conv2(down.conv1(skips[-1])))
        x = self.aspp(skips.pop())
        for level in (4, 3, 2):
            poll()
            x = self.get_submodule(f"dec{level}")(x, skips.pop())
        return self.dec1(torch.cat([x, self.lstm_dec2(x)], 1), skips.pop())  # type: ignore[no-any-return]


class NewNetwork(nn.Module):
    """Version 5.1: the halves apart, twice, then all bins."""

    def __init__(self, bins: int, nout: int, nout_lstm: int) -> None:
        super().__init__()
        half = bins // 4
        low, high = nout_lstm, nout_lstm // 2
        self.stg1_low_band_net: Any = nn.Sequential(_NewNet(2, nout // 2, half, low), _Conv(nout // 2, nout // 4))
        self.stg1_high_band_net = _NewNet(2, nout // 4, half, high)
        self.stg2_low_band_net: Any = nn.Sequential(_NewNet(nout // 4 + 2, nout, half, low), _Conv(nout, nout // 2))
        self.stg2_high_band_net = _NewNet(nout // 4 + 2, nout // 2, half, high)
        self.stg3_full_band_net = _NewNet(3 * nout // 4 + 2, nout, bins // 2, nout_lstm)
        self.out = nn.Conv2d(nout, 2, 1, bias=False)
        self.aux_out = nn.Conv2d(3 * nout // 4, 2, 1, bias=False)  # only training reads it

    def mask(self, x: torch.Tensor, poll: Poll) -> torch.Tensor:
        """Masks of the same shape, between 0 and 1."""
        half = x.shape[2] // 2
        low, high = x[:, :, :half], x[:, :, half:]
        low1 = self.stg1_low_band_net[1](self.stg1_low_band_net[0].run(low, poll))
        high1 = self.stg1_high_band_net.run(high, poll)
        net, thin = self.stg2_low_band_net
        low2 = thin(net.run(torch.cat([low, low1], 1), poll))
        high2 = self.stg2_high_band_net.run(torch.cat([high, high1], 1), poll)
        joined = torch.cat([x, torch.cat([low1, high1], 2), torch.cat([low2, high2], 2)], 1)
        return torch.sigmoid(self.out(self.stg3_full_band_net.run(joined, poll)))
