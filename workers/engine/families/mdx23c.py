"""MDX23C: a U-Net over the spectrum whose blocks mix time and frequency by convolutions and by a linear bottleneck.

Kim et al., "KUIELab-MDX-Net" (2021), in the third version (TFC-TDF v3) that won at the Sound Demixing Challenge 2023.
The names in the state are those of MSST's module, whose checkpoints people publish.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as everyone calls it

from workers.engine.families.fourier import Fourier
from workers.engine.families.network import ChunkNetwork, Poll, no_poll

CHANNELS = 2
Norm = Callable[[int], nn.Module]
Pair = tuple[int, int]


class _Blocks(nn.Module):
    """Blocks of a scale: two convolutions around a bottleneck along frequency, beside a shortcut."""

    def __init__(self, wide: int, size: int, count: int, bins: int, bottleneck: int, norm: Norm, act: nn.Module):
        super().__init__()
        self.blocks: Any = nn.ModuleList()
        for _ in range(count):
            block: Any = nn.Module()
            block.tfc1 = nn.Sequential(norm(wide), act, nn.Conv2d(wide, size, 3, padding=1, bias=False))
            block.tdf = nn.Sequential(
                norm(size),
                act,
                nn.Linear(bins, bins // bottleneck, bias=False),
                norm(size),
                act,
                nn.Linear(bins // bottleneck, bins, bias=False),
            )
            block.tfc2 = nn.Sequential(norm(size), act, nn.Conv2d(size, size, 3, padding=1, bias=False))
            block.shortcut = nn.Conv2d(wide, size, 1, bias=False)
            self.blocks.append(block)
            wide = size

    def run(self, x: torch.Tensor, poll: Poll) -> torch.Tensor:
        """[batch, wide, frames, bins] -> [batch, size, frames, bins]."""
        for block in self.blocks:
            poll()
            shortcut = block.shortcut(x)
            x = block.tfc1(x)
            x = x + block.tdf(x)
            x = block.tfc2(x) + shortcut
        return x


class _Scale(nn.Module):
    """Norm, activation and a convolution that makes the spectrum smaller or larger."""

    def __init__(self, norm: nn.Module, act: nn.Module, convolution: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Sequential(norm, act, convolution)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, channels, frames, bins] -> the same at the other scale."""
        return self.conv(x)  # type: ignore[no-any-return]


class MDX23C(ChunkNetwork):
    """The whole network. It hears the lowest `dim_f` bins, cut into `num_subbands` that are channels of one image."""

    def __init__(
        self,
        *,
        stems: int,
        n_fft: int,
        hop_length: int,
        dim_f: int,
        num_channels: int,
        num_subbands: int,
        num_scales: int,
        scale: Pair,
        num_blocks_per_scale: int,
        growth: int,
        bottleneck_factor: int,
        norm: str = "InstanceNorm",
        act: str = "gelu",
    ) -> None:
        super().__init__()
        self.stems = stems
        self._fourier = Fourier(n_fft, hop_length)
        self._bins, self._subbands = dim_f, num_subbands
        self._frames = int(scale[0] ** num_scales)  # a chunk has a multiple of so many
        make, activate = _norm(norm), _activation(act)
        self._planes = planes = num_subbands * CHANNELS * 2
        bins, size = dim_f // num_subbands, num_channels
        self.first_conv = nn.Conv2d(planes, size, 1, bias=False)
        self.encoder_blocks: Any = nn.ModuleList()
        self.decoder_blocks: Any = nn.ModuleList()
        blocks = num_blocks_per_scale, bottleneck_factor

        def mixing(wide: int, size: int) -> _Blocks:
            return _Blocks(wide, size, blocks[0], bins, blocks[1], make, activate)

        for _ in range(num_scales):
            down = nn.Conv2d(size, size + growth, scale, scale, bias=False)
            level: Any = nn.Module()
            level.tfc_tdf = mixing(size, size)
            level.downscale = _Scale(make(size), activate, down)
            self.encoder_blocks.append(level)
            size, bins = size + growth, bins // scale[1]
        self.bottleneck_block = mixing(size, size)
        for _ in range(num_scales):
            up = nn.ConvTranspose2d(size, size - growth, scale, scale, bias=False)
            level = nn.Module()
            level.upscale = _Scale(make(size), activate, up)
            size, bins = size - growth, bins * scale[1]
            level.tfc_tdf = mixing(2 * size, size)
            self.decoder_blocks.append(level)
        self.final_conv: Any = nn.Sequential(
            nn.Conv2d(size + planes, size, 1, bias=False), activate, nn.Conv2d(size, stems * planes, 1, bias=False)
        )

    def longest_chunk(self, samples: int) -> int:
        """See `ChunkNetwork`: the frames must be halved at each scale."""
        hop = self._fourier.hop
        frames = (1 + samples // hop) // self._frames * self._frames
        return (frames - 1) * hop

    def separate(self, wave: torch.Tensor, stems: Sequence[int], poll: Poll = no_poll) -> torch.Tensor:
        """See `ChunkNetwork`."""
        z = self._fourier.forward(wave)[:, :, : self._bins]
        batch, channels, bins, frames = z.shape
        parts = torch.view_as_real(z).permute(0, 1, 4, 2, 3)  # channels and, in each, real and imaginary part
        mix = parts.reshape(batch, self._planes, bins // self._subbands, frames)
        first = self.first_conv(mix)
        x = self._through(first.transpose(-1, -2), poll).transpose(-1, -2) * first
        wide, act, last = self.final_conv
        x = act(wide(torch.cat([mix, x], 1)))
        weight = last.weight.view(self.stems, self._planes, *last.weight.shape[1:])[list(stems)]
        x = F.conv2d(x, weight.flatten(0, 1)).reshape(batch, len(stems), channels, 2, bins, frames)
        full = x.new_zeros(batch, len(stems), channels, self._fourier.bins, frames, 2)
        full[..., :bins, :, :] = x.permute(0, 1, 2, 4, 5, 3)
        return self._fourier.inverse(torch.view_as_complex(full), wave.shape[-1])

    def _through(self, x: torch.Tensor, poll: Poll) -> torch.Tensor:
        skips = []
        for level in self.encoder_blocks:
            x = level.tfc_tdf.run(x, poll)
            skips.append(x)
            x = level.downscale(x)
        x = self.bottleneck_block.run(x, poll)
        for level in self.decoder_blocks:
            x = torch.cat([level.upscale(x), skips.pop()], 1)
            x = level.tfc_tdf.run(x, poll)
        return x


def _norm(name: str) -> Norm:
    if name == "BatchNorm":
        return nn.BatchNorm2d
    if name == "InstanceNorm":
        return lambda size: nn.InstanceNorm2d(size, affine=True)
    if name.startswith("GroupNorm"):
        return lambda size: nn.GroupNorm(int(name.removeprefix("GroupNorm")), size)
    return lambda size: nn.Identity()


def _activation(name: str) -> nn.Module:
    if name == "gelu":
        return nn.GELU()
    if name == "relu":
        return nn.ReLU()
    return nn.ELU(float(name.removeprefix("elu")))
