"""HTDemucs written for OpenVINO, whose convolutions keep the channels last in memory.

As upstream writes it, a third of a pass moves and normalises data: the norms, the gates and the change between rows
and sequences each ask for another layout. Here every tensor of the encoders and decoders is
[batch, channels, rows, steps], where a row is a bin of the spectrum, or the whole wave; nothing is reshaped between the
first convolution and the transformer. The residual branches compute the norm of their widest tensor from a narrow one.
"""

from __future__ import annotations

from typing import Any

import torch
from demucs.hdemucs import HDecLayer, HEncLayer
from demucs.htdemucs import HTDemucs
from demucs.transformer import LayerScale, MyGroupNorm
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as everyone calls it

from workers.engine.hybrid import HybridCore

# A mean of more steps is one of the means of blocks, because OpenVINO and torch sum in plain fp32. Of equal numbers, as
# silence makes them, all roundings go the same way: with blocks of 2,048 a segment of 100 samples lost 30 dB.
LONG, BLOCK = 512, 64
_BRANCH: tuple[Any, ...] = (nn.Conv1d, nn.GroupNorm, (nn.GELU, nn.ReLU), nn.Conv1d, nn.GroupNorm, nn.GLU, LayerScale)


def can_be_rewritten(network: Any) -> bool:
    """Whether `ChannelsLastCore` knows all the layers of this network."""
    if not isinstance(network, HTDemucs):
        return False
    encoders, decoders = [*network.encoder, *network.tencoder], [*network.decoder, *network.tdecoder]
    layers = [*encoders, *decoders]
    if not (len(network.encoder) == len(network.tencoder) and all(type(layer) is HEncLayer for layer in encoders)):
        return False
    if not all(type(layer) is HDecLayer for layer in decoders):
        return False
    if any(layer.norm or layer.empty or not layer.rewrite or not _known(layer.dconv) for layer in layers):
        return False
    encoder = network.crosstransformer
    return encoder is None or all(
        layer.norm_first and isinstance(getattr(layer, "self_attn", None) or layer.cross_attn, nn.MultiheadAttention)
        for layer in (*encoder.layers, *encoder.layers_t)
    )


def _known(dconv: Any) -> bool:
    if dconv is None:
        return True
    return all(
        len(branch) == len(_BRANCH)
        and all(isinstance(part, kind) for part, kind in zip(branch, _BRANCH, strict=True))
        and branch[1].num_groups == branch[4].num_groups == 1
        for branch in dconv.layers
    )


class ChannelsLastCore(nn.Module):
    """Computes what `HybridCore` does, for networks that `can_be_rewritten`, one segment at a time."""

    def __init__(self, core: HybridCore) -> None:
        super().__init__()
        network: Any = core.network
        self._stems = len(network.sources)
        self.encoder = nn.ModuleList(_Encoder(layer) for layer in network.encoder)
        self.tencoder = nn.ModuleList(_Encoder(layer) for layer in network.tencoder)
        self.decoder = nn.ModuleList(_Decoder(layer) for layer in network.decoder)
        self.tdecoder = nn.ModuleList(_Decoder(layer) for layer in network.tdecoder)
        self.frequencies: torch.Tensor | None
        self.register_buffer("frequencies", None if network.freq_emb is None else core.frequencies, persistent=False)
        self.bottom = None if network.crosstransformer is None else _Bottom(core)

    def forward(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        mean: torch.Tensor,
        deviation: torch.Tensor,
        wave_mean: torch.Tensor,
        wave_deviation: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the network on one batch from `prepared`; see `HybridCore.forward`."""
        bins, frames, length = *map(int, x.shape[-2:]), int(t.shape[-1])
        t = t[:, :, None]
        skips, wave_skips = [], []
        for level, (encode, encode_wave) in enumerate(zip(self.encoder, self.tencoder, strict=True)):
            before = int(t.shape[-1])
            t = encode_wave(t)
            wave_skips.append((t, before))
            x = encode(x)
            if level == 0 and self.frequencies is not None:
                x = x + self.frequencies
            skips.append(x)
        if self.bottom is not None:
            x, t = self.bottom(x, t)
        for decode, decode_wave in zip(self.decoder, self.tdecoder, strict=True):
            x = decode(x, skips.pop())
            t = decode_wave(t, *wave_skips.pop())
        shape = (int(x.shape[0]), self._stems, -1)
        x = x.reshape(*shape, bins, frames) * deviation[:, None] + mean[:, None]
        t = t.reshape(*shape, length) * wave_deviation[:, None] + wave_mean[:, None]
        return x, t


class _Encoder(nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self._stride = None if layer.freq else layer.stride
        self.conv = _in_rows(layer.conv)
        self.residual = _residual(layer.dconv)
        self.rewrite = _Gate(layer.rewrite)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        missing = -int(x.shape[-1]) % self._stride if self._stride else 0
        if missing:
            x = F.pad(x, (0, missing))
        return self.rewrite(self.residual(F.gelu(self.conv(x))))  # type: ignore[no-any-return]


class _Decoder(nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self._last = layer.last
        self.rewrite = _Gate(layer.rewrite)
        self.residual = _residual(layer.dconv)
        self.conv_tr = _in_rows(layer.conv_tr, layer.pad)

    def forward(self, x: torch.Tensor, skip: torch.Tensor, length: int | None = None) -> torch.Tensor:
        x = self.conv_tr(self.residual(self.rewrite(x + skip)))
        if length is not None and int(x.shape[-1]) != length:
            x = x[..., :length]
        return x if self._last else F.gelu(x)


class _Gate(nn.Module):
    """A convolution to twice the channels and its gated linear unit: two convolutions, so that nothing is split."""

    def __init__(self, rewrite: Any) -> None:
        super().__init__()
        whole = _in_rows(rewrite)
        half, bias = whole.out_channels // 2, whole.bias.detach()
        self.values = _conv(whole.weight[:half], bias[:half], like=whole)
        self.gates = _conv(whole.weight[half:], bias[half:], like=whole)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.values(x) * torch.sigmoid(self.gates(x))  # type: ignore[no-any-return]


class _Branch(nn.Module):
    """One residual branch: x + scale glu(norm(W h + b)), with h = act(norm(conv(x))) of few channels.

    The norm is one group's, over all of a row's 2C channels and its steps. Let w and c be the means of W's rows and of
    b, and m that of h over the steps. The mean of W h + b is wm + c. Its variance is the sum of three mean squares: of
    (W - w)(h - m), of w(h - m), and of (W - w)m + b - c, which is the same at each step. Short products tell them: the
    mean square of 2C values V h is the sum of the squares of the few values Q h, where QᵀQ = VᵀV / 2C. The norm is then
    linear in h. Two channels beside h carry its offsets, and the wide tensor is written once, normalised.
    """

    def __init__(self, branch: Any) -> None:
        super().__init__()
        narrow, norm, act, wide, wide_norm, _, scale = branch
        hidden, double = narrow.out_channels, wide.out_channels
        weight, bias = wide.weight.detach().double()[..., 0], wide.bias.detach().double()
        row, offset = weight.mean(0, keepdim=True), bias.mean()
        centred = torch.cat([weight - row, (bias - offset)[:, None]], 1)
        squares, axes = torch.linalg.eigh(centred.T @ centred / double)
        root = (axes * squares.clamp_min(0).sqrt()).T
        scales = torch.cat([scale.scale.detach().double(), torch.ones(double // 2, dtype=torch.double)])
        gain, shift = wide_norm.weight.detach().double() * scales, wide_norm.bias.detach().double() * scales
        normalised = torch.cat([gain[:, None] * weight, (gain * (bias - offset))[:, None], -gain[:, None]], 1)
        half = double // 2

        self._share = hidden / (hidden + 2)  # of the channels that are h
        self._count = hidden + 2
        self._epsilons = norm.eps, wide_norm.eps
        taps = _more(narrow.weight.detach()[:, :, None], 2)
        self.narrow = _conv(taps, _more(narrow.bias.detach(), 2), like=_in_rows(narrow))
        self.act = type(act)()
        self.moments = _linear(torch.cat([_more(root[:, :-1].T, 2).T, _more(row.T, 2).T]), _more(root[:, -1], 1))
        self.values = _linear(normalised[:half], shift[:half])
        self.gates = _linear(normalised[half:], shift[half:])
        places = torch.eye(hidden + 2)
        self.own: torch.Tensor
        self.gain: torch.Tensor
        self.shift: torch.Tensor
        self.first: torch.Tensor
        self.second: torch.Tensor
        for name, values in {
            "own": places[:hidden].sum(0),
            "gain": _more(norm.weight.detach(), 2),
            "shift": _more(norm.bias.detach(), 2),
            "first": places[hidden],
            "second": places[hidden + 1],
        }.items():
            self.register_buffer(name, values[None, :, None, None].clone(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.narrow(x)
        h = (h - _mean(h).mean(1, keepdim=True) / self._share) * self.own
        variance = _mean(h * h).mean(1, keepdim=True) / self._share
        h = self.act(h * ((variance + self._epsilons[0]) ** -0.5 * self.gain) + self.shift)
        moments = self.moments(h)  # of which the last is wh
        mean = _mean(moments)
        varying = _mean((moments - mean) ** 2).mean(1, keepdim=True) * self._count
        constant = (mean * (1 - self.second)) ** 2
        deviation = (varying + constant.sum(1, keepdim=True) + self._epsilons[1]) ** -0.5
        h = (h + self.first + mean * self.second) * deviation
        return x + self.values(h) * torch.sigmoid(self.gates(h))  # type: ignore[no-any-return]


class _Bottom(nn.Module):
    """The transformer over both branches. A frame's bins lie apart in its sequence: attention has no order."""

    def __init__(self, core: HybridCore) -> None:
        super().__init__()
        network: Any = core.network
        encoder = network.crosstransformer
        self._parity = encoder.classic_parity
        self.up, self.up_wave, self.down, self.down_wave = (
            _in_rows(getattr(network, f"channel_{name}")) if network.bottom_channels else nn.Identity()
            for name in ("upsampler", "upsampler_t", "downsampler", "downsampler_t")
        )
        self.norm_in, self.norm_in_wave = _norm(encoder.norm_in), _norm(encoder.norm_in_t)
        self.layers = nn.ModuleList(_Layer(layer) for layer in encoder.layers)
        self.layers_wave = nn.ModuleList(_Layer(layer) for layer in encoder.layers_t)
        bins = network.nfft // 2 // network.stride**network.depth
        by_frame = core.grid.view(1, -1, bins, core.grid.shape[-1])
        self.grid: torch.Tensor
        self.line: torch.Tensor
        self.register_buffer("grid", by_frame.transpose(1, 2).flatten(1, 2).clone(), persistent=False)
        self.register_buffer("line", core.line, persistent=False)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        batch, bins, frames = int(x.shape[0]), int(x.shape[2]), int(x.shape[3])
        x = self.norm_in(self.up(x).flatten(2).transpose(1, 2)) + self.grid
        t = self.norm_in_wave(self.up_wave(t).flatten(2).transpose(1, 2)) + self.line
        for level, (layer, wave_layer) in enumerate(zip(self.layers, self.layers_wave, strict=True)):
            if level % 2 == self._parity:
                x, t = layer(x), wave_layer(t)
            else:
                x, t = layer(x, t), wave_layer(t, x)
        x = self.down(x.transpose(1, 2).reshape(batch, -1, bins, frames))
        return x, self.down_wave(t.transpose(1, 2)[:, :, None])


class _Layer(nn.Module):
    """A layer of the transformer: attention within a branch, or from one branch to the other."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        crossed = hasattr(layer, "cross_attn")
        self.attention = _Attention(layer.cross_attn if crossed else layer.self_attn)
        self.norm = _norm(layer.norm1)
        self.norm_other = _norm(layer.norm2) if crossed else None
        self.norm_wide = _norm(layer.norm3 if crossed else layer.norm2)
        self.norm_out = nn.Identity() if layer.norm_out is None else _norm(layer.norm_out)
        self.widen, self.narrow, self._act = layer.linear1, layer.linear2, layer.activation
        self.gamma_1, self.gamma_2 = layer.gamma_1, layer.gamma_2

    def forward(self, x: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        query = self.norm(x)
        heard = query if self.norm_other is None else self.norm_other(other)
        x = x + self.gamma_1(self.attention(query, heard))
        x = x + self.gamma_2(self.narrow(self._act(self.widen(self.norm_wide(x)))))
        return self.norm_out(x)  # type: ignore[no-any-return]


class _Attention(nn.Module):
    """Multi-head attention in the form that OpenVINO computes as one operation."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self._heads = attention.num_heads
        weights, bias = attention.in_proj_weight.detach().chunk(3), attention.in_proj_bias.detach().chunk(3)
        self.query, self.key, self.value = map(_dense, weights, bias)
        self.out = attention.out_proj

    def forward(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        heads = (
            part.view(int(part.shape[0]), int(part.shape[1]), self._heads, -1).transpose(1, 2)
            for part in (self.query(x), self.key(other), self.value(other))
        )
        return self.out(F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class _WholeNorm(nn.Module):
    """A norm over all steps and channels of [batch, steps, channels]."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self._epsilon, self.weight, self.bias = norm.eps, norm.weight, norm.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, [int(size) for size in x.shape[1:]], eps=self._epsilon) * self.weight + self.bias


def _norm(norm: Any) -> Any:
    return _WholeNorm(norm) if isinstance(norm, MyGroupNorm) and norm.num_groups == 1 else norm


def _residual(dconv: Any) -> nn.Sequential:
    return nn.Sequential(*(_Branch(branch) for branch in (dconv.layers if dconv else ())))


def _mean(x: torch.Tensor) -> torch.Tensor:
    """The mean over the steps, [batch, channels, rows, 1]."""
    steps = int(x.shape[-1])  # to the tracer a size is a tensor, and a program that computes it
    if steps <= LONG:
        return x.mean(-1, keepdim=True)
    block = next(size for size in range(BLOCK, 0, -1) if -steps % size % 2 == 0)  # as much is missing at both ends
    missing = -steps % block
    means = F.avg_pool2d(x, (1, block), padding=(0, missing // 2))
    return _mean(means) * ((steps + missing) / steps)


def _more(values: torch.Tensor, count: int) -> torch.Tensor:
    """`values` with `count` zeros more on the first axis."""
    return torch.cat([values, values.new_zeros(count, *values.shape[1:])])


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Conv2d:
    """A product over the channels."""
    return _conv(weight[:, :, None, None], bias)


def _dense(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    made.weight, made.bias = _fixed(weight), _fixed(bias)
    return made


def _conv(weight: torch.Tensor, bias: torch.Tensor, like: Any = None) -> nn.Conv2d:
    """A convolution of these weights, with the padding and dilation of `like`."""
    how = {} if like is None else {"padding": like.padding, "dilation": like.dilation, "stride": like.stride}
    size = (weight.shape[2], weight.shape[3])
    made = nn.Conv2d(weight.shape[1], weight.shape[0], size, device="meta", **how)
    made.weight, made.bias = _fixed(weight), _fixed(bias)
    return made


def _in_rows(conv: Any, trim: int | None = None) -> Any:
    """The convolution over [batch, channels, rows, steps]: one of the time's has a single row.

    A transposed one leaves `trim` values off at both ends of the axis on which it has a stride.
    """
    kind = nn.Conv2d if trim is None else nn.ConvTranspose2d
    flat = conv.weight.dim() == 3
    size, stride, dilation, padding = (
        (alone, *values) if flat else values
        for alone, values in ((1, conv.kernel_size), (1, conv.stride), (1, conv.dilation), (0, conv.padding))
    )
    if trim is not None:
        padding = (0, trim) if flat else (trim, 0)
    made = kind(
        conv.in_channels,
        conv.out_channels,
        size,
        stride,
        padding,
        dilation=dilation,
        bias=conv.bias is not None,
        device="meta",
    )
    made.weight = _fixed(conv.weight[:, :, None] if flat else conv.weight)
    if conv.bias is not None:
        made.bias = _fixed(conv.bias)
    return made


def _fixed(values: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach().float().contiguous().clone(), requires_grad=False)
