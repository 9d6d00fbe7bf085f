"""SCNet: a sparse U-Net over three parts of the spectrum, with dual-path layers at its bottom.

Tong et al., "SCNet: Sparse Compression Network for Music Source Separation" (2024). MSST has three forms of it: the
published one, one with transformers in place of LSTMs (`scnet_tran`), and one that makes masks (`scnet_masked`). The
names in the state are those of MSST's modules, whose checkpoints people publish.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as everyone calls it

from workers.engine.families.fourier import Fourier
from workers.engine.families.network import ChunkNetwork, Poll, no_poll
from workers.engine.families.scnet_paths import Paths, RecurrentPaths, SeparationNet, TransformerPaths

CHANNELS = 2
MASK_SIZE = 64


class _Convolutions(nn.Module):
    """Residual convolutions along time, through a narrow gated layer."""

    def __init__(self, size: int, depth: int, compress: int, kernel: int) -> None:
        super().__init__()
        inner, padding = size // compress, kernel // 2

        def layer() -> nn.Sequential:
            return nn.Sequential(
                nn.GroupNorm(1, size),
                nn.Conv1d(size, inner * 2, kernel, padding=padding),
                nn.GLU(1),
                nn.Conv1d(inner, inner, kernel, padding=padding, groups=inner),
                nn.GroupNorm(1, inner),
                nn.SiLU(),
                nn.Conv1d(inner, size, 1),
            )

        self.layers = nn.ModuleList(layer() for _ in range(depth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, size, frames] -> the same shape."""
        for layer in self.layers:
            x = x + layer(x)
        return x


class _Down(nn.Module):
    """Convolutions along frequency that compress each part of the spectrum by a stride of its own."""

    def __init__(
        self, wide: int, size: int, shares: Sequence[float], strides: Sequence[int], kernels: Sequence[int]
    ) -> None:
        super().__init__()
        self._shares, self._strides, self._kernels = tuple(shares), tuple(strides), tuple(kernels)
        self.convs = nn.ModuleList(
            nn.Conv2d(wide, size, (kernel, 1), (stride, 1)) for kernel, stride in zip(kernels, strides, strict=True)
        )

    def forward(self, x: torch.Tensor) -> tuple[list[torch.Tensor], list[int]]:
        """[batch, channels, bins, frames] -> the parts, and the bins that each had."""
        bins, low, mid = x.shape[2], self._shares[0], self._shares[1]
        edges = [0, math.ceil(bins * low), math.ceil(bins * (low + mid)), bins]
        sizes = [stop - start for start, stop in itertools.pairwise(edges)]
        parts = []
        for part, conv, stride, kernel in zip(
            x.split(sizes, dim=2), self.convs, self._strides, self._kernels, strict=True
        ):
            missing = kernel - 1 if stride == 1 else -part.shape[2] % stride
            parts.append(conv(F.pad(part, (0, 0, missing // 2, missing - missing // 2))))
        return parts, sizes


class _Encoder(nn.Module):
    """Compresses a spectrum, then convolves each part along time, then all of them together."""

    def __init__(self, wide: int, size: int, down: _Down, depths: Sequence[int], compress: int, kernel: int) -> None:
        super().__init__()
        self.SDlayer = down
        self.conv_modules = nn.ModuleList(_Convolutions(size, depth, compress, kernel) for depth in depths)
        self.globalconv = nn.Conv2d(size, size, 3, padding=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, list[int], list[int]]:
        """The output, what skips to the decoder, the bins of each part now, and the bins that it had."""
        parts, sizes = self.SDlayer(x)
        made = []
        for module, part in zip(self.conv_modules, parts, strict=True):
            batch, size, bins, frames = part.shape
            along = module(part.transpose(1, 2).reshape(batch * bins, size, frames))
            made.append(F.gelu(along.view(batch, bins, size, frames).transpose(1, 2)))
        joined = torch.cat(made, dim=2)
        return self.globalconv(joined), joined, [part.shape[2] for part in made], sizes


class _Fusion(nn.Module):
    """Joins what came through the network with what skipped it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(size * 2, size * 2, 3, padding=1)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """[batch, size, bins, frames] -> the same shape."""
        return F.glu(self.conv((x + skip).repeat(1, 2, 1, 1)), dim=1)


class _Up(nn.Module):
    """Expands each part of the spectrum to the bins that it had."""

    def __init__(self, wide: int, size: int, strides: Sequence[int], kernels: Sequence[int]) -> None:
        super().__init__()
        self.convtrs = nn.ModuleList(
            nn.ConvTranspose2d(wide, size, (kernel, 1), (stride, 1))
            for kernel, stride in zip(kernels, strides, strict=True)
        )

    def forward(self, x: torch.Tensor, sizes: list[int], wanted: list[int]) -> torch.Tensor:
        """[batch, wide, all sizes, frames] -> [batch, size, all wanted, frames]."""
        parts = []
        for part, convolve, bins in zip(x.split(sizes, dim=2), self.convtrs, wanted, strict=True):
            part = convolve(part)
            before = abs(bins - part.shape[2]) // 2
            parts.append(part[:, :, before : before + bins])
        return torch.cat(parts, dim=2)


class SCNet(ChunkNetwork):
    """SCNet as published, with LSTMs."""

    def __init__(
        self,
        *,
        stems: int,
        dims: Sequence[int] = (4, 32, 64, 128),
        nfft: int = 4096,
        hop_size: int = 1024,
        win_size: int = 4096,
        normalized: bool = True,
        band_SR: Sequence[float] = (0.175, 0.392, 0.433),  # noqa: N803 - as in the files
        band_stride: Sequence[int] = (1, 4, 16),
        band_kernel: Sequence[int] = (3, 4, 16),
        conv_depths: Sequence[int] = (3, 2, 1),
        compress: int = 4,
        conv_kernel: int = 3,
        num_dplayer: int = 6,
        expand: int = 1,
        hann: bool = False,
        paths: type[Paths] = RecurrentPaths,
        **path_sizes: int,
    ) -> None:
        super().__init__()
        self.stems = stems
        self._fourier = Fourier(nfft, hop_size, win_size, normalized=normalized, hann=hann)
        self.encoder: Any = nn.ModuleList()
        self.decoder: Any = nn.ModuleList()
        for wide, size in itertools.pairwise(dims):
            down = _Down(wide, size, band_SR, band_stride, band_kernel)
            self.encoder.append(_Encoder(wide, size, down, conv_depths, compress, conv_kernel))
            out = wide if len(self.encoder) > 1 else wide * stems
            self.decoder.insert(0, nn.Sequential(_Fusion(size), _Up(size, out, band_stride, band_kernel)))
        self.separation_net = SeparationNet(dims[-1], num_dplayer, paths, expand=expand, **path_sizes)

    def separate(self, wave: torch.Tensor, stems: Sequence[int], poll: Poll = no_poll) -> torch.Tensor:
        """See `ChunkNetwork`."""
        length, hop = wave.shape[-1], self._fourier.hop
        padded = (length // hop + 1) * hop
        padded += hop * (padded // hop % 2 == 0)  # an even number of frames, for the transform at the bottom
        z = self._fourier.forward(F.pad(wave, (0, padded - length)))
        parts = torch.view_as_real(z).permute(0, 1, 4, 2, 3).flatten(1, 2)
        made = self._through(self._positioned(parts), poll)
        numbers = made.unflatten(1, (self.stems, CHANNELS, 2))[:, list(stems)]
        spectra = torch.view_as_complex(numbers.permute(0, 1, 2, 4, 5, 3).contiguous())
        return self._fourier.inverse(self._applied(spectra, z), padded)[..., :length]

    def _through(self, x: torch.Tensor, poll: Poll) -> torch.Tensor:
        skips = []
        for encode in self.encoder:
            poll()
            x, *skip = encode(x)
            skips.append(skip)
        x = self.separation_net.run(x, poll, self.half_layers)
        for fuse, expand in self.decoder:
            poll()
            skip, sizes, wanted = skips.pop()
            x = expand(fuse(x, skip), sizes, wanted)
        return x

    def _positioned(self, parts: torch.Tensor) -> torch.Tensor:
        """What the encoder hears of the spectrum [batch, channels and parts, bins, frames]."""
        return parts

    def _applied(self, made: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """The stems' spectra [batch, stems, channels, bins, frames] of what the decoder made."""
        return made


class SCNetTran(SCNet):
    """SCNet with transformers in place of the LSTMs."""

    def __init__(
        self,
        *,
        tran_rotary_embedding_dim: int = 64,
        tran_depth: int = 1,
        tran_heads: int = 8,
        tran_dim_head: int = 64,
        **sizes: Any,
    ) -> None:
        super().__init__(
            **sizes,
            paths=TransformerPaths,
            rotary_size=tran_rotary_embedding_dim,
            depth=tran_depth,
            heads=tran_heads,
            head_size=tran_dim_head,
        )
        dims = sizes.get("dims", (4, 32, 64, 128))
        # in the published state, and never used
        self.first_conv = nn.Conv2d(dims[0], dims[0], 1, bias=False)


class SCNetMasked(SCNet):
    """SCNet that makes a complex mask of each stem, and knows how high each bin is."""

    def __init__(self, *, nfft: int = 4096, **sizes: Any) -> None:
        super().__init__(nfft=nfft, hann=True, **sizes)
        planes = 2 * CHANNELS
        self.pos_embed_f = nn.Parameter(torch.zeros(1, planes, nfft // 2 + 1, 1))
        self.mask_layer = nn.Sequential(
            nn.Conv2d(planes * self.stems, MASK_SIZE, 3, padding="same"),
            nn.GELU(),
            nn.Conv2d(MASK_SIZE, planes * self.stems, 1),
            nn.Tanh(),
        )

    def _through(self, x: torch.Tensor, poll: Poll) -> torch.Tensor:
        return self.mask_layer(super()._through(x, poll))  # type: ignore[no-any-return]

    def _positioned(self, parts: torch.Tensor) -> torch.Tensor:
        return parts + self.pos_embed_f

    def _applied(self, made: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return z[:, None] * made
