"""A RoFormer's transformer as a graph of OpenVINO, which takes 0.7 to 0.8 of torch's time on a CPU.

OpenVINO fuses what torch runs one after the other over memory: norms, turns, gates and the activation. The graph is
built of the weights in milliseconds, so that nothing is traced and nothing is kept on disk. It takes a group of whole
sequences: they do not see each other, and what a group takes stays in the cache.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workers.engine import kept
from workers.engine.families.network import Poll

if TYPE_CHECKING:
    from workers.engine.families.transformer import Attention, FeedForward, RMSNorm, Transformer

TOKENS = 1024  # of a group: fewer leave threads waiting for each other, more leave the cache and take more memory
# Groups at a time, on half of the threads each. Where other processes take a core, threads of one group wait for each
# other: beside one of them two cores gave 120 GFLOP/s with one stream and 190 with two, alone as much. Memory grows
# with each stream.
STREAMS = 2
TINY = 1e-12  # torch's `normalize` divides by no less


class CannotBuild(Exception):
    """Raised where OpenVINO does not take the transformer."""


class TransformerGraph:
    """Runs a transformer over groups of `count` sequences of `length`, `STREAMS` at a time. Raises `CannotBuild`."""

    def __init__(self, transformer: Transformer, count: int, length: int, threads: int) -> None:
        self._count = count
        try:
            model = _Builder(count, length).model(transformer)
            threads = threads or kept.cores()
            self._streams = STREAMS if threads % STREAMS == 0 else 1  # all of them have as many
            self._compiled: Any = kept.compile_model(model, kept.options(threads, streams=self._streams))
        except RuntimeError as error:  # OpenVINO raises no other
            raise CannotBuild(" ".join(str(error).split())[-200:]) from error

    def run(self, x: torch.Tensor, out: torch.Tensor, poll: Poll) -> None:
        """Put what the transformer makes of `x` [sequences, length, size] into `out`, which is other memory.

        Calls `poll` before each group of sequences.
        """
        given, made = x.numpy(), out.numpy()
        running: deque[tuple[Any, int]] = deque()  # requests of its own, so that threads do not share one

        def finished() -> Any:
            request, at = running.popleft()
            request.wait()
            made[at : at + self._count] = request.get_output_tensor().data
            return request

        try:
            for at in range(0, len(given), self._count):
                poll()
                at = min(at, len(given) - self._count)  # the last group takes some of the one before once more
                request = finished() if len(running) == self._streams else self._compiled.create_infer_request()
                request.get_input_tensor().data[:] = given[at : at + self._count]
                request.start_async()
                running.append((request, at))
            while running:
                finished()
        finally:
            for request, _ in running:  # poll has raised, or a request
                with contextlib.suppress(RuntimeError):
                    request.wait()

    def rest(self) -> None:
        """Free the working memory."""
        self._compiled.release_memory()


def group_of(sequences: int, length: int) -> int:
    """How many sequences go together: about `TOKENS` positions, and as few as can be computed twice."""
    most = min(sequences, max(1, TOKENS // length))
    return min(range(most, most // 2, -1), key=lambda count: math.ceil(sequences / count) * count)


class _Builder:
    """Writes the graph. Each step returns a node."""

    def __init__(self, count: int, length: int) -> None:
        from openvino import opset13

        self._op: Any = opset13
        self._count, self._length = count, length

    def model(self, transformer: Transformer) -> Any:
        """The whole graph."""
        first = transformer.layers[0][1].net[1]
        x = taken = self._op.parameter([self._count, self._length, first.in_features], np.float32)
        for attention, feed_forward in transformer.layers:
            x = self._op.add(x, self._attention(x, attention))
            x = self._op.add(x, self._feed_forward(x, feed_forward))
        last: Any = transformer.norm
        made = self._norm(x, last) if hasattr(last, "gamma") else x
        return kept.openvino().Model([self._op.result(made)], [taken], "transformer")

    def _attention(self, x: Any, layer: Attention) -> Any:
        op, heads = self._op, layer.heads
        x = self._norm(x, layer.norm)
        queries, keys, values = layer.to_qkv.weight.chunk(3)
        size = len(values) // heads
        if 2 * len(layer.rotary_embed.freqs) != size:
            raise CannotBuild("a part of each head is not turned")
        turns = self._turns(layer.rotary_embed.freqs)
        q, k = (
            self._turned(self._heads(x, _apart(weight, heads), heads, size), *turns, size) for weight in (queries, keys)
        )
        heard = op.scaled_dot_product_attention(q, k, self._heads(x, values, heads, size))
        heard = op.transpose(heard, self._whole(0, 2, 1, 3))
        gates = op.sigmoid(self._linear(x, layer.to_gates.weight, layer.to_gates.bias))
        heard = op.multiply(heard, op.reshape(gates, self._whole(self._count, self._length, heads, 1), False))
        heard = op.reshape(heard, self._whole(self._count, self._length, heads * size), False)
        last: Any = layer.to_out[0]
        return self._linear(heard, last.weight)

    def _feed_forward(self, x: Any, layer: FeedForward) -> Any:
        net: Any = layer.net
        norm, wide, narrow = (net[at] for at in (0, 1, 4))
        x = self._linear(self._norm(x, norm), wide.weight, wide.bias)
        return self._linear(self._op.gelu(x, "erf"), narrow.weight, narrow.bias)

    def _norm(self, x: Any, norm: RMSNorm) -> Any:
        """In the form that OpenVINO knows as one operation: over the root of the mean square."""
        op = self._op
        least = np.float32(TINY**2 / len(norm.gamma))
        mean = op.reduce_mean(op.power(x, self._number(2)), self._whole(-1), True)
        over = op.divide(self._number(1), op.sqrt(op.add(mean, op.constant(least))))
        return op.multiply(op.multiply(x, over), self._weight(norm.gamma))

    def _heads(self, x: Any, weight: torch.Tensor, heads: int, size: int) -> Any:
        """[sequences, length, width] -> [sequences, heads, length, size]."""
        x = self._op.reshape(self._linear(x, weight), self._whole(self._count, self._length, heads, size), False)
        return self._op.transpose(x, self._whole(0, 2, 1, 3))

    def _turns(self, freqs: torch.Tensor) -> tuple[Any, Any]:
        """Cosines and sines [1, 1, length, size] of all positions, once for each half of the features."""
        angles = torch.arange(self._length, dtype=torch.float32)[:, None] * freqs.detach().float()
        angles = torch.cat([angles, angles], dim=1)[None, None]
        return self._weight(angles.cos()), self._weight(angles.sin())

    def _turned(self, x: Any, cosines: Any, sines: Any, size: int) -> Any:
        op, half = self._op, size // 2

        def part(begin: int, end: int) -> Any:
            return op.slice(x, *(self._whole(number) for number in (begin, end, 1, 3)))

        # OpenVINO knows this form, also that of the -1, as one operation
        minus = op.constant(np.full((1, 1, 1, 1), -1, np.float32))
        crossed = op.concat([op.multiply(part(half, size), minus), part(0, half)], -1)
        return op.add(op.multiply(x, cosines), op.multiply(crossed, sines))

    def _linear(self, x: Any, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Any:
        made = self._op.matmul(x, self._weight(weight), False, True)
        return made if bias is None else self._op.add(made, self._weight(bias))

    def _weight(self, values: torch.Tensor) -> Any:
        # the graph keeps some of the numbers beside its own copies of all: they need not be there twice
        return self._op.constant(np.ascontiguousarray(values.detach().float().numpy()), shared_memory=True)

    def _number(self, value: float) -> Any:
        return self._op.constant(np.float32(value))

    def _whole(self, *values: int) -> Any:
        return self._op.constant(np.array(values, np.int64))


def _apart(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """The rows of each head so that the first of all pairs come first, then the second ones.

    OpenVINO turns halves against each other, and a RoFormer neighbours. Queries and keys in the same other order have
    the same products.
    """
    pairs = weight.view(heads, -1, 2, weight.shape[1])
    return pairs.transpose(1, 2).reshape(weight.shape)
