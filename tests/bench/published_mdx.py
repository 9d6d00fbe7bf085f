"""The graph of an MDX-Net at its published size, of random weights, as an ONNX file.

Kim et al., "KUIELab-MDX-Net" (2021), as Ultimate Vocal Remover's MDX-Nets have it, with the norms of the convolutions
folded into their weights. The sizes follow from those of the published files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save

PLANES = 4  # two channels, each with a real and an imaginary part
GROWTH = 48  # channels of the first level, and what each further one has more
SCALES = 5
CONVOLUTIONS = 3  # of a block
BOTTLENECK = 8  # how many times fewer features than bins a block's two linear layers have between them


class _Graph:
    """Nodes and weights, in the order of their making."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._random = np.random.default_rng(7)

    def weight(self, numbers: NDArray[np.float64]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(numbers.astype(np.float32), name))
        return name

    def random(self, *shape: int, fan: int) -> str:
        """Weights that keep the size of what a rectifier lets through."""
        return self.weight(self._random.normal(0, np.sqrt(2 / fan), shape))

    def node(self, kind: str, *inputs: str, output: str | None = None, **how: Any) -> str:
        output = output or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **how))
        return output

    def convolution(self, x: str, wide: int, out: int, size: int) -> str:
        bias = self.weight(self._random.normal(0, 0.1, out))
        weights = self.random(out, wide, size, size, fan=wide * size * size)
        return self.node("Relu", self.node("Conv", x, weights, bias, pads=[size // 2] * 4))

    def halved(self, x: str, wide: int, out: int) -> str:
        weights = self.random(out, wide, 2, 2, fan=4 * wide)
        bias = self.weight(self._random.normal(0, 0.1, out))
        return self.node("Relu", self.node("Conv", x, weights, bias, strides=[2, 2]))

    def doubled(self, x: str, wide: int, out: int) -> str:
        weights = self.random(wide, out, 2, 2, fan=wide)
        bias = self.weight(self._random.normal(0, 0.1, out))
        return self.node("Relu", self.node("ConvTranspose", x, weights, bias, strides=[2, 2]))

    def linear(self, x: str, channels: int, wide: int, out: int) -> str:
        """A product along the frequencies, a norm of the channels, a rectifier."""
        x = self.node("MatMul", x, self.random(wide, out, fan=wide))
        ones, zeros = np.ones(channels), np.zeros(channels)
        norm = [self.weight(each) for each in (0.5 * ones, zeros + 0.1, zeros, ones)]
        return self.node("Relu", self.node("BatchNormalization", x, *norm))

    def block(self, x: str, channels: int, bins: int) -> str:
        for _ in range(CONVOLUTIONS):
            x = self.convolution(x, channels, channels, 3)
        thin = self.linear(x, channels, bins, bins // BOTTLENECK)
        return self.node("Add", x, self.linear(thin, channels, bins // BOTTLENECK, bins))


def write_published_mdx(path: Path, bins: int, frames: int) -> Path:
    """A file for spectra [1, 4, bins, frames]."""
    graph, channels, skips = _Graph(), GROWTH, []
    x = graph.convolution("input", PLANES, channels, 1)
    x = graph.node("Transpose", x, perm=[0, 1, 3, 2])
    for scale in range(SCALES):
        x = graph.block(x, channels, bins >> scale)
        skips.append(x)
        x = graph.halved(x, channels, channels + GROWTH)
        channels += GROWTH
    x = graph.block(x, channels, bins >> SCALES)
    for scale in reversed(range(SCALES)):
        x = graph.doubled(x, channels, channels - GROWTH)
        channels -= GROWTH
        x = graph.block(graph.node("Mul", x, skips[scale]), channels, bins >> scale)
    x = graph.node("Transpose", x, perm=[0, 1, 3, 2])
    graph.node("Conv", x, graph.random(PLANES, channels, 1, 1, fan=channels), output="output")
    shape = [1, PLANES, bins, frames]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("input", "output")]
    made = helper.make_graph(graph.nodes, "net", ends[:1], ends[1:], graph.weights)
    save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
