"""HTDemucs and HDemucs in three parts: the spectrum, the network, the inverse. Everything constant is cached."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import torch
from demucs.hdemucs import HDemucs, pad1d
from demucs.htdemucs import HTDemucs
from demucs.transformer import create_2d_sin_embedding, create_sin_embedding
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as everyone calls it


def can_take_apart(network: nn.Module) -> bool:
    """Whether the classes below know this network. Any other network runs through its own `forward`."""
    if isinstance(network, HTDemucs):
        encoder = network.crosstransformer
        plain = encoder is None or (encoder.emb == "sin" and not encoder.sin_random_shift and not _sparse(encoder))
        return bool(network.cac and network.use_train_segment and plain)
    return isinstance(network, HDemucs) and bool(network.cac and network.hybrid)


def full_length(network: Any) -> int | None:
    """The one length in samples that an HTDemucs takes: zeros fill shorter input up. None for other networks."""
    return int(network.segment * network.samplerate) if isinstance(network, HTDemucs) else None


def fill_up(wave: torch.Tensor, length: int | None) -> torch.Tensor:
    """`wave` padded at its end with zeros up to `length`. The separator cuts off the output of the padding."""
    return wave if length is None or wave.shape[-1] >= length else F.pad(wave, (0, length - wave.shape[-1]))


def _sparse(encoder: Any) -> bool:
    return any(getattr(layer, "sparse", False) for layer in (*encoder.layers, *encoder.layers_t))


class Spectrum:
    """The network's short-time Fourier transform and its inverse, equal to upstream's `_spec` and `_ispec`.

    Upstream pads the signal, transforms it centred and drops the frames that the centring adds. Here nothing is
    centred, so those frames are never made. The inverse divides by the sum of the squared Hann windows, which at a hop
    of a quarter is the constant 1.5.
    """

    def __init__(self, network: Any, device: torch.device) -> None:
        self._size: int = network.nfft
        self._hop: int = network.hop_length
        self._old = bool(getattr(network, "hybrid_old", False))  # trained with another padding
        self._pad = self._hop // 2 * 3
        self._window = torch.hann_window(self._size, device=device)
        self._synthesis = (self._window * (math.sqrt(self._size) / 1.5)).view(4, self._hop)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """[batch, channels, length] -> [batch, 2 channels, bins, frames], real and imaginary parts in turn."""
        batch, channels, length = wave.shape
        frames = math.ceil(length / self._hop)
        pads = (self._pad, self._pad + frames * self._hop - length)
        if self._old:
            padded = F.pad(wave, pads)
        elif length > max(pads):
            padded = F.pad(wave, pads, mode="reflect")
        else:  # shorter than the padding: zeros first, as upstream does
            padded = pad1d(wave, pads, mode="reflect")
        flat = padded.reshape(batch * channels, -1)
        z = torch.stft(
            flat, self._size, self._hop, window=self._window, normalized=True, center=False, return_complex=True
        )
        parts = torch.view_as_real(z[:, :-1]).reshape(batch, channels, self._size // 2, frames, 2)
        return parts.permute(0, 1, 4, 2, 3).reshape(batch, channels * 2, self._size // 2, frames)

    def inverse(self, parts: torch.Tensor, stems: list[int], length: int, room: Room | None = None) -> torch.Tensor:
        """[batch, stems, 2 channels, bins, frames] -> [batch, stems wanted, channels, length].

        If `room` is given, the result lies in its buffers until the next call with it.
        """
        batch, every, double, bins, frames = parts.shape
        channels = double // 2
        room = room or Room()
        z = room.get("z", (batch, channels, frames, bins + 1), torch.complex64, parts.device)
        spans = room.get("spans", (*z.shape[:-1], self._size), torch.float32, parts.device)
        whole = room.get("whole", (batch, len(stems), channels, frames + 3, self._hop), torch.float32, parts.device)
        pairs = parts.view(batch, every, channels, 2, bins, frames)
        numbers = torch.view_as_real(z)
        for at, stem in enumerate(stems):  # one after the other, because the data of one stays in a processor's cache
            numbers[..., :bins, :].copy_(pairs[:, stem].permute(0, 1, 4, 3, 2))
            torch.fft.irfft(z, n=self._size, out=spans)
            quarters, out = spans.view(*z.shape[:-1], 4, self._hop), whole[:, at]
            torch.mul(quarters[..., 0, :], self._synthesis[0], out=out[..., :frames, :])
            out[..., frames:, :].zero_()
            for quarter in range(1, 4):
                part = out[..., quarter : quarter + frames, :]
                part.addcmul_(quarters[..., quarter, :], self._synthesis[quarter])
        start = 0 if self._old else self._pad
        return whole.flatten(3)[..., start : start + length]


class Room:
    """Buffers that are used again. Fresh memory takes time: the kernel clears each of its pages at the first touch."""

    def __init__(self) -> None:
        self._buffers: dict[str, torch.Tensor] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """The buffer `name`: zeros at first, later as its last user left it."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != shape:
            buffer = self._buffers[name] = torch.zeros(shape, dtype=dtype, device=device)
        return buffer


class HybridCore(nn.Module):
    """The network between the spectrum and its inverse, for one input length: real arithmetic, cached constants.

    (spectrum [B, 2C, bins, frames], wave [B, C, length], both `prepared`)
    -> (spectra [B, S, 2C, bins, frames], waves [B, S, C, length])
    """

    def __init__(self, network: Any, length: int) -> None:
        super().__init__()
        self.network = network
        self.fp16_transformer = False  # whether the transformer's linears and attention run in fp16
        self._stems = len(network.sources)
        self.frequencies: torch.Tensor
        self.grid: torch.Tensor
        self.line: torch.Tensor
        frames = math.ceil(length / network.hop_length)
        parameter = next(network.parameters())
        if network.freq_emb is not None:
            weight = network.freq_emb.embedding.weight
            rows = network.freq_emb(torch.arange(weight.shape[0], device=weight.device))
            scaled = network.freq_emb_scale * rows.t()[None, :, :, None]
            self.register_buffer("frequencies", scaled.detach().clone(), persistent=False)
        if getattr(network, "crosstransformer", None) is not None:
            encoder = network.crosstransformer
            channels = encoder.layers[0].linear1.in_features
            bins = network.nfft // 2 // network.stride**network.depth
            steps = length
            for _ in range(network.depth):
                steps = math.ceil(steps / network.stride)
            grid = create_2d_sin_embedding(  # type: ignore[no-untyped-call]
                channels, bins, frames, "cpu", encoder.max_period
            )
            line = create_sin_embedding(steps, channels, max_period=encoder.max_period)
            weight = encoder.weight_pos_embed
            grid = weight * grid.permute(0, 3, 2, 1).reshape(1, frames * bins, channels)
            line = weight * line.permute(1, 0, 2)
            self.register_buffer("grid", grid.to(parameter), persistent=False)
            self.register_buffer("line", line.to(parameter), persistent=False)

    def forward(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        mean: torch.Tensor,
        deviation: torch.Tensor,
        wave_mean: torch.Tensor,
        wave_deviation: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the network on one batch from `prepared`."""
        bins, frames, length = *x.shape[-2:], t.shape[-1]
        x, t, skips, wave_skips = self._encode(x, t)
        if isinstance(self.network, HTDemucs):
            x, t = self._bottom(x, t)
        else:  # HDemucs starts its decoders from nothing but the skip connections
            x = torch.zeros_like(x)
            t = torch.zeros_like(x)
        x, t = self._decode(x, t, skips, wave_skips)
        shape = (x.shape[0], self._stems, -1)
        x = x.view(*shape, bins, frames) * deviation[:, None] + mean[:, None]
        t = t.view(*shape, length) * wave_deviation[:, None] + wave_mean[:, None]
        return x, t

    def _encode(self, x: torch.Tensor, t: torch.Tensor) -> tuple[Any, ...]:
        """Run the encoders of both branches. Each skip goes with the length that its decoder must restore."""
        net = self.network
        skips, wave_skips = [], []
        for level, encode in enumerate(net.encoder):
            frames, joined = x.shape[-1], None
            if level < len(net.tencoder):
                layer, length = net.tencoder[level], t.shape[-1]
                t = layer(t)
                wave_skips.append((None if layer.empty else t, length))
                joined = t if layer.empty else None  # where the branches meet
            x = encode(x, joined)
            if level == 0 and net.freq_emb is not None:
                x = x + self.frequencies
            skips.append((x, frames))
        return x, t, skips, wave_skips

    def _decode(self, x: torch.Tensor, t: torch.Tensor, skips: Any, wave_skips: Any) -> tuple[Any, ...]:
        net = self.network
        apart = net.depth - len(net.tdecoder)  # the level at which the branches part
        for level, decode in enumerate(net.decoder):
            x, before = decode(x, *skips.pop())
            if level >= apart:
                layer = net.tdecoder[level - apart]
                skip, length = wave_skips.pop()
                t, _ = layer(before[:, :, 0] if layer.empty else t, skip, length)
        return x, t

    def _bottom(self, x: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the transformer over both branches. In the spectrum's sequence time runs slower than frequency."""
        net = self.network
        encoder = net.crosstransformer
        if encoder is None:
            return x, t
        batch, _, bins, frames = x.shape
        x = x.flatten(2)
        if net.bottom_channels:
            x, t = net.channel_upsampler(x), net.channel_upsampler_t(t)
        x = x.view(batch, -1, bins, frames).permute(0, 3, 2, 1).reshape(batch, frames * bins, -1)
        t = t.transpose(1, 2)
        x = encoder.norm_in(x) + self.grid
        t = encoder.norm_in_t(t) + self.line
        # autocast keeps norms, residual sums and layer scales in fp32
        with torch.autocast(x.device.type, torch.float16) if self.fp16_transformer else contextlib.nullcontext():
            for level, (layer, wave_layer) in enumerate(zip(encoder.layers, encoder.layers_t, strict=True)):
                if level % 2 == encoder.classic_parity:
                    x, t = layer(x), wave_layer(t)
                else:
                    x, t = layer(x, t), wave_layer(t, x)
        x = x.view(batch, frames, bins, -1).permute(0, 3, 2, 1).flatten(2)
        t = t.transpose(1, 2)
        if net.bottom_channels:
            x, t = net.channel_downsampler(x), net.channel_downsampler_t(t)
        return x.view(batch, -1, bins, frames), t


def prepared(spectrum: torch.Tensor, wave: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Both inputs normalised to mean 0 and deviation 1, then the means and deviations that they had.

    This always runs in torch: OpenVINO sums the million values in plain fp32, which alone costs 30 dB.
    """
    x, mean, deviation = _standardise(spectrum, (1, 2, 3))
    t, wave_mean, wave_deviation = _standardise(wave, (1, 2))
    return x, t, mean, deviation, wave_mean, wave_deviation


def _standardise(x: torch.Tensor, axes: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    mean, deviation = x.mean(dim=axes, keepdim=True), x.std(dim=axes, keepdim=True)
    return (x - mean).div_(1e-5 + deviation), mean, deviation
