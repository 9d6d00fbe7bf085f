"""The bottom of SCNet: layers along frequency and along time, in turn on the frames and on their spectrum."""

from __future__ import annotations

import torch
from torch import nn

from workers.engine.families.network import Poll
from workers.engine.families.transformer import Transformer


class Paths(nn.Module):
    """One layer along frequency, then one along time, each with a norm before it and a residual sum."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm_layers = nn.ModuleList(nn.GroupNorm(1, size) for _ in range(2))

    def run(self, x: torch.Tensor, poll: Poll, half: bool) -> torch.Tensor:
        """[batch, size, bins, frames] -> the same shape."""
        along = self.norm_layers[0](x).permute(0, 3, 2, 1)  # [batch, frames, bins, size]
        x = x + self._along(0, along, poll, half).permute(0, 3, 2, 1)
        along = self.norm_layers[1](x).permute(0, 2, 3, 1)  # [batch, bins, frames, size]
        return x + self._along(1, along, poll, half).permute(0, 3, 1, 2)

    def _along(self, axis: int, x: torch.Tensor, poll: Poll, half: bool) -> torch.Tensor:
        """The layer of an axis on sequences [batch, sequences, length, size]."""
        raise NotImplementedError


class RecurrentPaths(Paths):
    """The layers are LSTMs that run both ways."""

    def __init__(self, size: int, *, expand: int = 1) -> None:
        super().__init__(size)
        inner = size * expand
        self.lstm_layers = nn.ModuleList(nn.LSTM(size, inner, bidirectional=True, batch_first=True) for _ in range(2))
        self.linear_layers = nn.ModuleList(nn.Linear(2 * inner, size) for _ in range(2))

    def _along(self, axis: int, x: torch.Tensor, poll: Poll, half: bool) -> torch.Tensor:
        poll()
        out, _ = self.lstm_layers[axis](x.flatten(0, 1))
        return self.linear_layers[axis](out).view(x.shape)  # type: ignore[no-any-return]


class TransformerPaths(Paths):
    """The layers are transformers."""

    def __init__(self, size: int, *, expand: int, rotary_size: int, depth: int, heads: int, head_size: int) -> None:
        super().__init__(size)
        self.time_layer = Transformer(size, depth, heads, head_size, rotary_size=rotary_size, norm=True)
        self.freq_layer = Transformer(size, depth, heads, head_size, rotary_size=rotary_size, norm=True)

    def _along(self, axis: int, x: torch.Tensor, poll: Poll, half: bool) -> torch.Tensor:
        layer = (self.freq_layer, self.time_layer)[axis]
        return layer.run(x.flatten(0, 1), poll, half).view(x.shape)


class SeparationNet(nn.Module):
    """Dual-path layers. Every second one works on the Fourier transform of the frames, with twice the channels."""

    def __init__(self, size: int, layers: int, paths: type[Paths], **sizes: int) -> None:
        super().__init__()
        self.dp_modules = nn.ModuleList(paths(size * (1 + index % 2), **sizes) for index in range(layers))

    def run(self, x: torch.Tensor, poll: Poll, half: bool) -> torch.Tensor:
        """[batch, size, bins, frames] -> the same shape."""
        for index, module in enumerate(self.dp_modules):
            x = module.run(x, poll, half)  # type: ignore[operator]
            if index % 2:
                real, imaginary = x.chunk(2, dim=1)
                x = torch.fft.irfft(torch.complex(real.contiguous(), imaginary.contiguous()), dim=3, norm="ortho")
            else:
                z = torch.fft.rfft(x, dim=3, norm="ortho")
                x = torch.cat([z.real, z.imag], dim=1)
        return x
