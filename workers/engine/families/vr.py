"""VR: a network masks the magnitudes of a track's bands, joined to one spectrum; the other stem is what that leaves.

Ultimate Vocal Remover's own family. A chunk is the part of a window whose mask counts; around it the network hears
context. The magnitudes are divided by the largest one of the whole track.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - as everyone calls it

from stemsvc.models.vr import Layout
from workers.engine.families.network import ChunkNetwork, Poll, no_poll
from workers.engine.families.vr_bands import Bands
from workers.engine.families.vr_networks import NewNetwork, OldNetwork
from workers.engine.mixture import Mixture, Passing, Reader

BLOCK = 512  # frames that are measured at once
MULTIPLE = 32  # a window has a multiple of so many frames: the U-Nets halve it up to five times


class VRNet(ChunkNetwork):
    """The network, and the bands around it. It takes [batch, 3, samples]: the third row says what is of the track."""

    cut = "vr"
    stems = 2
    _inner: OldNetwork | NewNetwork

    def __init__(
        self,
        *,
        layout: Layout,
        context: int,
        aggression: int,
        solo: bool,
        channels: int | None = None,
        convolutions: int = 5,
        nout: int | None = None,
        nout_lstm: int | None = None,
    ) -> None:
        super().__init__()
        self._new = nout is not None
        self._context, self._layout = context, layout
        self.hop = layout.bands[-1].hl
        self._bands: Bands | None = None
        self._powers = _powers(layout, aggression, solo)
        inner: OldNetwork | NewNetwork
        if nout is not None and nout_lstm is not None:
            inner = NewNetwork(layout.bins, nout, nout_lstm)
        else:
            inner = OldNetwork(channels or 0, convolutions)
        for name, module in inner.named_children():  # their names are those of the state
            self.add_module(name, module)
        object.__setattr__(self, "_inner", inner)  # not a module of this one: its modules are

    @property
    def bands(self) -> Bands:
        """The bands, whose filters are made when they are first needed, on the CPU."""
        if self._bands is None:
            with torch.device("cpu"):
                self._bands = Bands(self._layout, self._new)
        return self._bands

    @property
    def tail(self) -> int:
        """Samples on each side of a chunk to which it also gives something."""
        return self.bands.reach * self.hop

    @property
    def margin(self) -> int:
        """Samples on each side of a chunk that the network must be given."""
        return (self._context + self.bands.reach) * self.hop

    def longest_chunk(self, samples: int) -> int:
        """See `ChunkNetwork`: a whole number of frames, so that the window is one that the U-Nets can halve."""
        window = (samples // self.hop + 2 * self._context) // MULTIPLE * MULTIPLE
        return max(window - 2 * self._context, MULTIPLE) * self.hop

    def input_shape(self, chunk: int) -> tuple[int, int]:
        """See `ChunkNetwork`."""
        return 3, chunk + 2 * self.margin

    def level(self, mixture: Mixture) -> tuple[float, float]:
        """See `ChunkNetwork`: nothing is taken out, and the largest magnitude is divided by."""
        mixture = mixture.whole if isinstance(mixture, Passing) else mixture
        reader, largest = Reader(mixture.read, mixture.frames, 0.0, 1.0), 0.0
        reach = self.bands.reach * self.hop
        chunk = np.empty((2, BLOCK * self.hop + 2 * reach), np.float32)
        with torch.inference_mode():
            for start in range(0, mixture.frames + 1, BLOCK * self.hop):
                reader.fill(chunk, start - reach)
                at = torch.arange(start - reach, start - reach + chunk.shape[1])
                inside = ((at >= 0) & (at < mixture.frames)).float()[None]
                z, _ = self.bands.spectrum(torch.from_numpy(chunk)[None], inside)
                largest = max(largest, float(z[..., self.bands.reach : self.bands.reach + BLOCK].abs().max()))
        return 0.0, largest or 1.0

    def separate(self, wave: torch.Tensor, stems: Sequence[int], poll: Poll = no_poll) -> torch.Tensor:
        """See `ChunkNetwork`: also what lies around the chunk is given back, of which only `tail` samples are not 0."""
        reach, context = self.bands.reach, self._context
        count = wave.shape[-1] // self.hop - 2 * (reach + context)  # frames of the chunk
        z, valid = self.bands.spectrum(wave[:, :2], wave[:, 2])
        poll()
        window = z[..., reach : reach + count + 2 * context]
        mask = self._inner.mask(window.abs()[:, :, : self._layout.bins], poll)[..., context : context + count]
        mask = F.pad(mask, (0, 0, 0, 1), mode="replicate") ** self._powers.to(mask.device)
        heard = window[..., context : context + count]
        parts = torch.stack([heard * (mask if stem == 0 else 1 - mask) for stem in stems], 1)
        return self.bands.wave(parts, reach + context, valid)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """See `ChunkNetwork`."""
        return self.separate(wave, range(self.stems))


def _powers(layout: Layout, aggression: int, solo: bool) -> torch.Tensor:
    """The power to which each bin of the mask is raised, [bins + 1, 1]."""
    edge = 2 * aggression / 100
    powers = np.ones((layout.bins + 1, 1), np.float32)
    if edge:
        edge = 1 - edge if solo else edge
        split = layout.bands[0].crop_stop
        powers[:split], powers[split:] = 1 + edge / 3, 1 + edge
    return torch.tensor(powers.tolist(), device="cpu")
