"""MDX-Net: a U-Net over the spectrum that predicts one stem's, published as an ONNX graph by Ultimate Vocal Remover.

Kim et al., "KUIELab-MDX-Net" (2021), in its first two versions. OpenVINO runs the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from stemsvc.errors import WeightsMismatch, WeightsUnreadable
from stemsvc.host.processor import has_bf16
from stemsvc.models.onnx_header import read_onnx
from workers.engine.families.fourier import Fourier
from workers.engine.families.network import ChunkNetwork, Poll, no_poll
from workers.engine.families.onnx_graph import CannotRun, Graph
from workers.engine.precision import Precision

PLANES = 4  # two channels, each with a real and an imaginary part
MUTED = 3  # the lowest bins, which the network never hears
SHORTEST = 16  # frames: the U-Net halves them up to five times, so a shorter chunk is a power of two of them


class MDXNet(ChunkNetwork):
    """The graph of a file between two Fourier transforms.

    Raises `FatalError` `weights_mismatch`, `weights_unreadable`, `weights_refused`.
    """

    cut = "mdxnet"
    stems = 1

    def __init__(self, path: Path, *, n_fft: int, hop_length: int, dim_f: int, dim_t: int, compensate: float) -> None:
        super().__init__()
        self.trim = n_fft // 2  # silence before the track, and what a chunk's ends are not trusted for
        self._fourier = Fourier(n_fft, hop_length)
        self._bins, self._frames, self._gain = dim_f, dim_t, compensate
        self._path = path
        self._check()
        self._device, self._threads, self._fast = torch.device("cpu"), 0, False
        self._graphs: dict[int, Graph] = {}

    def _check(self) -> None:
        header, wanted = read_onnx(self._path), (PLANES, self._bins, self._frames)
        for what, shapes in (("input", header.inputs), ("output", header.outputs)):
            found = [shape[1:] for shape in shapes.values()]
            fits = len(found) == 1 and len(found[0]) == len(wanted)
            if not fits or any(size not in (None, want) for size, want in zip(found[0], wanted, strict=True)):
                raise WeightsMismatch(
                    f"{self._path.name}: its {what} is {found}, and the config's network has {list(wanted)}: "
                    "channels' parts, mdx_dim_f_set, and two to the power of mdx_dim_t_set"
                )

    def ready(self, device: torch.device, threads: int, *, fast: bool) -> None:
        """See `ChunkNetwork`. The graph is compiled for full chunks."""
        self._device, self._threads, self._fast = device, threads, fast and has_bf16()
        self._graphs.clear()
        self._graph(self._frames)

    def computes_in(self, device: torch.device, precision: Precision) -> Precision:
        """See `ChunkNetwork`: the graph runs on the CPU, whatever the device is."""
        return Precision.FAST if precision is Precision.FAST and has_bf16() else Precision.FP32

    def rest(self) -> None:
        """See `ChunkNetwork`."""
        for graph in self._graphs.values():
            graph.rest()

    def longest_chunk(self, samples: int) -> int:
        """See `ChunkNetwork`: half as many frames as the network was made for, or a quarter, and so on."""
        frames = self._frames
        while frames > SHORTEST and (frames - 1) * self._fourier.hop > samples:
            frames //= 2
        return (frames - 1) * self._fourier.hop

    def separate(self, wave: torch.Tensor, stems: Sequence[int], poll: Poll = no_poll) -> torch.Tensor:
        """See `ChunkNetwork`."""
        z = self._fourier.forward(wave)[:, :, : self._bins]
        batch, channels, bins, frames = z.shape
        parts = torch.view_as_real(z).permute(0, 1, 4, 2, 3).reshape(batch, PLANES, bins, frames).contiguous()
        parts[:, :, :MUTED] = 0
        graph = self._graph(frames)
        made = torch.cat([graph.run(each, poll) for each in parts.split(1)])
        full = made.new_zeros(batch, channels, self._fourier.bins, frames, 2)
        full[:, :, :bins] = made.reshape(batch, channels, 2, bins, frames).permute(0, 1, 3, 4, 2)
        sound = self._fourier.inverse(torch.view_as_complex(full), wave.shape[-1])
        return (sound * self._gain)[:, None].expand(-1, len(stems), -1, -1)

    def _graph(self, frames: int) -> Graph:
        if frames not in self._graphs:
            shape = (1, PLANES, self._bins, frames)
            try:
                self._graphs[frames] = Graph(self._path, shape, self._threads, fast=self._fast)
            except CannotRun as error:
                raise WeightsUnreadable(f"OpenVINO can't run {self._path.name}: {error}") from error
        return self._graphs[frames]
