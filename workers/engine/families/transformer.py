"""The transformer of the RoFormers: rotary positions, gated heads, root mean square norms.

Lu et al., "Music Source Separation with Band-Split RoPE Transformer" (2023); Su et al., "RoFormer" (2021).
"""

from __future__ import annotations

import contextlib
import logging
import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as everyone calls it

from workers.engine import kept
from workers.engine.families.network import Poll
from workers.engine.families.transformer_graph import STREAMS, TOKENS, CannotBuild, TransformerGraph, group_of

log = logging.getLogger(__name__)

# Of the widest activation of a group of sequences on a CPU: larger ones leave the cache, and memory would grow
# with them. Sequences do not see each other, so that the groups change nothing.
GROUP_BYTES = 32 << 20
MOST_GRAPHS = 2


class RMSNorm(nn.Module):
    """`x / |x| * sqrt(size) * gamma` over the last axis (Zhang and Sennrich, 2019)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[..., size] -> the same shape."""
        scale = math.sqrt(self.gamma.shape[0])
        return F.normalize(x, dim=-1) * (self.gamma * scale)


class Rotary(nn.Module):
    """Turns pairs of neighbouring features by their position times a frequency of each pair."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.freqs = nn.Parameter(10000.0 ** -(torch.arange(0, size, 2).float() / size))

    def turns(self, length: int) -> torch.Tensor:
        """The unit complex numbers [length, 1, pairs] of all positions."""
        positions = torch.arange(length, device=self.freqs.device, dtype=torch.float32)
        angles = positions[:, None] * self.freqs.float()
        return torch.polar(torch.ones_like(angles), angles)[:, None]

    def turned(self, x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        """[batch, length, heads, features] -> the same; features beyond the pairs stay as they are."""
        size = 2 * turns.shape[-1]
        pairs = torch.view_as_complex(x[..., :size].float().unflatten(-1, (-1, 2)))
        turned = torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)
        return turned if size == x.shape[-1] else torch.cat([turned, x[..., size:]], dim=-1)


class Attention(nn.Module):
    """Self-attention with rotary positions, in which a gate of each head decides what is heard of it."""

    def __init__(self, size: int, heads: int, head_size: int, rotary_size: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * head_size
        self.rotary_embed = Rotary(rotary_size)
        self.norm = RMSNorm(size)
        self.to_qkv = nn.Linear(size, inner * 3, bias=False)
        self.to_gates = nn.Linear(size, heads)
        self.to_out = nn.Sequential(nn.Linear(inner, size, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, length, size] -> the same shape."""
        x = self.norm(x)
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        turns = self.rotary_embed.turns(x.shape[1])
        q, k = self.rotary_embed.turned(q, turns), self.rotary_embed.turned(k, turns)
        heard = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        gates = self.to_gates(x).sigmoid().unsqueeze(-1)
        return self.to_out((heard.transpose(1, 2) * gates).flatten(2))  # type: ignore[no-any-return]


class ChannelAttention(nn.Module):
    """Attention between features instead of positions, so that its cost grows linearly (El-Nouby et al., 2021)."""

    HEAD_SIZE, HEADS, SCALE = 32, 8, 8

    def __init__(self, size: int, heads: int, head_size: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * head_size
        self.norm = RMSNorm(size)
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.to_qkv = nn.Sequential(nn.Linear(size, inner * 3, bias=False))
        # a Sequential whose first place is empty: in the published state the weight has the index 1
        self.to_out = nn.Sequential(nn.Identity(), nn.Linear(inner, size, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, length, size] -> the same shape."""
        parts = self.to_qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1))
        q, k, v = parts.permute(2, 0, 3, 4, 1)  # each [batch, heads, features, length]
        q = F.normalize(q, dim=-1) * self.temperature.exp()
        heard = F.scaled_dot_product_attention(q, F.normalize(k, dim=-1), v, scale=self.SCALE)
        return self.to_out(heard.permute(0, 3, 1, 2).flatten(2))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """Two linears of each position, the inner one `mult` times as wide."""

    def __init__(self, size: int, mult: int = 4) -> None:
        super().__init__()
        inner = size * mult
        # the identity stands where training drops out: the published state counts it
        self.net = nn.Sequential(
            RMSNorm(size), nn.Linear(size, inner), nn.GELU(), nn.Identity(), nn.Linear(inner, size)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, length, size] -> the same shape."""
        return self.net(x)  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """Layers of attention and feed-forward with residual sums, and a norm at the end where `norm` says so."""

    def __init__(
        self,
        size: int,
        depth: int,
        heads: int,
        head_size: int,
        *,
        rotary_size: int | None = None,
        norm: bool = False,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self._widest = max(4 * size, 3 * heads * head_size)
        self._whole = linear

        def attention() -> nn.Module:
            if linear:
                return ChannelAttention(size, heads, head_size)
            return Attention(size, heads, head_size, rotary_size or head_size)

        self.layers: Any = nn.ModuleList(nn.ModuleList([attention(), FeedForward(size)]) for _ in range(depth))
        self.norm = RMSNorm(size) if norm else nn.Identity()
        self._graphs: dict[tuple[int, int], TransformerGraph] = {}  # by sequences of a group, and their length
        self._threads: int | None = None  # of the graphs; None: torch computes

    @property
    def graph_bytes(self) -> int:
        """About what a graph holds: its weights in the order that OpenVINO wants, and room for groups' activations.

        Measured with OpenVINO 2026.4: 42 MB for a layer of 512 features, of which 12 are the weights.
        """
        parameters = sum(each.numel() for each in self.parameters())
        return 0 if self._whole else 6 * parameters + 5 * STREAMS * TOKENS * self._widest

    def ready(self, threads: int) -> None:
        """Compute in OpenVINO, on so many threads (0: all), where it takes these layers."""
        self._threads = None if self._whole or not kept.usable() else threads

    def rest(self) -> None:
        """Free the graphs' working memory."""
        for graph in list(self._graphs.values()):
            graph.rest()

    def run(self, x: torch.Tensor, poll: Poll, half: bool = False) -> torch.Tensor:
        """Sequences [sequences, length, size] -> the same shape. Calls `poll` between groups of sequences."""
        if not half and (graph := self._graph(*x.shape[:2])) is not None:
            out = torch.empty_like(x)
            graph.run(x, out, poll)
            return out
        group = len(x)
        if x.device.type != "cuda" and not self._whole:
            group = max(1, GROUP_BYTES // (4 * x.shape[1] * self._widest))
        out = torch.empty_like(x)
        # autocast keeps norms and residual sums in fp32
        with torch.autocast(x.device.type, torch.float16) if half else contextlib.nullcontext():
            for at in range(0, len(x), group):
                poll()
                part = x[at : at + group]
                for attention, feed_forward in self.layers:
                    part = part + attention(part)
                    part = part + feed_forward(part)
                out[at : at + group] = self.norm(part)
        return out

    def _graph(self, sequences: int, length: int) -> TransformerGraph | None:
        if self._threads is None or not sequences:
            return None
        key = (group_of(sequences, length), length)
        graph = self._graphs.get(key)
        if graph is None:
            if len(self._graphs) >= MOST_GRAPHS:  # a job with chunks of another length
                self._graphs.clear()
            try:
                graph = self._graphs[key] = TransformerGraph(self, *key, self._threads)
            except CannotBuild as error:
                log.warning("OpenVINO can't run this transformer, so torch runs it: %s", error)
                self._threads = None
        return graph
