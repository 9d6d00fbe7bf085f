"""BS-RoFormer and Mel-Band RoFormer: a transformer over time and one over bands, in turn; then a mask of each stem.

Lu et al. (2023) for bands side by side; Wang et al., "Mel-Band RoFormer for Music Source Separation" (2023) for bands
that overlap. The names in the state are those of lucidrains' and MSST's modules, whose checkpoints people publish.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from workers.engine.families.bands import USUAL_BANDS, BandSplit, MaskEstimator, mel_bands
from workers.engine.families.fourier import Fourier
from workers.engine.families.network import ChunkNetwork, Poll, no_poll
from workers.engine.families.transformer import RMSNorm, Transformer

CHANNELS = 2


class _RoFormer(ChunkNetwork):
    """What both have in common; they differ in the bands, in the norms and in the depth of the masks' perceptrons."""

    def __init__(
        self,
        *,
        dim: int,
        depth: int,
        bins_of_bands: Sequence[int],
        hidden_layers: int,
        norm_each: bool,
        num_stems: int = 1,
        time_transformer_depth: int = 2,
        freq_transformer_depth: int = 2,
        linear_transformer_depth: int = 0,
        dim_head: int = 64,
        heads: int = 8,
        stft_n_fft: int = 2048,
        stft_hop_length: int = 512,
        stft_win_length: int = 2048,
        stft_normalized: bool = False,
        zero_dc: bool = True,
        mlp_expansion_factor: int = 4,
        skip_connection: bool = False,
    ) -> None:
        super().__init__()
        self.stems = num_stems
        self._fourier = Fourier(stft_n_fft, stft_hop_length, stft_win_length, normalized=stft_normalized)
        self._zero_dc, self._skip = zero_dc, skip_connection
        widths = [2 * CHANNELS * bins for bins in bins_of_bands]  # real and imaginary parts
        self.band_split = BandSplit(dim, widths)

        def transformers() -> nn.ModuleList:
            deep = [linear_transformer_depth] * (linear_transformer_depth > 0)
            made = [Transformer(dim, each, heads, dim_head, norm=norm_each, linear=True) for each in deep]
            for layers in (time_transformer_depth, freq_transformer_depth):
                made.append(Transformer(dim, layers, heads, dim_head, norm=norm_each))
            return nn.ModuleList(made)

        self.layers: Any = nn.ModuleList(transformers() for _ in range(depth))
        self.final_norm: nn.Module = nn.Identity() if norm_each else RMSNorm(dim)
        hidden = dim * mlp_expansion_factor
        self.mask_estimators = nn.ModuleList(
            MaskEstimator(dim, widths, hidden, hidden_layers) for _ in range(num_stems)
        )

    def separate(self, wave: torch.Tensor, stems: Sequence[int], poll: Poll = no_poll) -> torch.Tensor:
        """See `ChunkNetwork`."""
        z = self._fourier.forward(wave)  # [batch, channels, bins, frames]
        # a bin's numbers lie together: left, right, each with its real and imaginary part
        numbers = torch.view_as_real(z.permute(0, 3, 2, 1).contiguous()).flatten(2, 3)
        x = self.band_split(self._gathered(numbers).flatten(2))
        x = self.final_norm(self._attend(x, poll))
        waves = []
        for stem in stems:
            poll()
            mask = self._scattered(self.mask_estimators[stem](x).unflatten(-1, (-1, 2)))
            mask = torch.view_as_complex(mask).unflatten(-1, (-1, CHANNELS)).permute(0, 3, 2, 1)
            masked = z * mask
            if self._zero_dc:
                masked[:, :, 0] = 0
            waves.append(self._fourier.inverse(masked, wave.shape[-1]))
        return torch.stack(waves, dim=1)

    def ready(self, device: torch.device, threads: int, *, fast: bool) -> None:
        """See `ChunkNetwork`."""
        if device.type == "cpu":
            for transformer in self._transformers():
                transformer.ready(threads)

    @property
    def prepared_bytes(self) -> int:
        """See `ChunkNetwork`."""
        return sum(each.graph_bytes for each in self._transformers())

    def rest(self) -> None:
        """See `ChunkNetwork`."""
        for transformer in self._transformers():
            transformer.rest()

    def _transformers(self) -> Iterator[Transformer]:
        return (each for block in self.layers for each in block)

    def _attend(self, x: torch.Tensor, poll: Poll) -> torch.Tensor:
        """Attention along time, then along the bands, of [batch, frames, bands, size]."""
        batch, frames, bands, _ = x.shape
        earlier: list[torch.Tensor] = []
        for block in self.layers:
            *linear, time, bands_of_frame = block
            for each in linear:
                x = each.run(x.flatten(1, 2), poll, self.half_layers).unflatten(1, (frames, bands))
            for before in earlier:
                x = x + before
            along = x.transpose(1, 2).flatten(0, 1)
            x = time.run(along, poll, self.half_layers).unflatten(0, (batch, bands)).transpose(1, 2)
            x = bands_of_frame.run(x.flatten(0, 1), poll, self.half_layers).unflatten(0, (batch, frames))
            if self._skip:
                earlier.append(x)
        return x

    def _gathered(self, numbers: torch.Tensor) -> torch.Tensor:
        """The numbers [batch, frames, bins and channels, 2] in the bands' order."""
        return numbers

    def _scattered(self, mask: torch.Tensor) -> torch.Tensor:
        """The bands' masks [batch, frames, numbers, 2] in the bins' order."""
        return mask


class BSRoformer(_RoFormer):
    """BS-RoFormer: bands that lie side by side."""

    def __init__(
        self, *, freqs_per_bands: Sequence[int] = USUAL_BANDS, mask_estimator_depth: int = 2, **sizes: Any
    ) -> None:
        super().__init__(
            bins_of_bands=freqs_per_bands,
            hidden_layers=mask_estimator_depth - 1,
            norm_each=False,
            **sizes,
        )


class MelBandRoformer(_RoFormer):
    """Mel-Band RoFormer: bands on the mel scale that overlap. A bin's mask is the mean of its bands' masks."""

    def __init__(
        self,
        *,
        num_bands: int = 60,
        sample_rate: int = 44100,
        stft_n_fft: int = 2048,
        mask_estimator_depth: int = 1,
        **sizes: Any,
    ) -> None:
        inside = torch.from_numpy(mel_bands(sample_rate, stft_n_fft, num_bands))
        super().__init__(
            bins_of_bands=inside.sum(dim=1).tolist(),
            hidden_layers=mask_estimator_depth,
            norm_each=True,
            stft_n_fft=stft_n_fft,
            **sizes,
        )
        bins = inside.nonzero()[:, 1]
        self._picked = (bins[:, None] * CHANNELS + torch.arange(CHANNELS, device="cpu")).flatten()
        self._times = inside.sum(dim=0).repeat_interleave(CHANNELS)[:, None]

    def _gathered(self, numbers: torch.Tensor) -> torch.Tensor:
        return numbers.index_select(2, self._on(numbers.device)[0])

    def _scattered(self, mask: torch.Tensor) -> torch.Tensor:
        picked, times = self._on(mask.device)
        total = mask.new_zeros(*mask.shape[:2], len(times), 2)
        return total.index_add_(2, picked, mask).div_(times)

    def _on(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        if self._picked.device != device:
            self._picked, self._times = self._picked.to(device), self._times.to(device)
        return self._picked, self._times
