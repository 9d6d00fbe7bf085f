"""The short-time Fourier transform of the families, centred and with reflected ends as torch does it."""

from __future__ import annotations

import torch


class Fourier:
    """Transforms waves [..., length] into complex spectra [..., bins, frames] and back.

    `hann` False is a window of ones, with which SCNet was trained: its authors gave torch no window.
    """

    def __init__(
        self, size: int, hop: int, window: int | None = None, *, normalized: bool = False, hann: bool = True
    ) -> None:
        self.size, self.hop, self.length = size, hop, window or size
        self.bins = size // 2 + 1
        self._normalized, self._hann = normalized, hann
        self._windows: dict[torch.device, torch.Tensor] = {}

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """The spectrum of each wave."""
        flat = wave.reshape(-1, wave.shape[-1])
        z = torch.stft(
            flat,
            self.size,
            self.hop,
            self.length,
            self._window(wave.device),
            normalized=self._normalized,
            return_complex=True,
        )
        return z.view(*wave.shape[:-1], *z.shape[-2:])

    def inverse(self, z: torch.Tensor, length: int) -> torch.Tensor:
        """The waves of `length` samples."""
        flat = z.reshape(-1, *z.shape[-2:])
        wave = torch.istft(
            flat,
            self.size,
            self.hop,
            self.length,
            self._window(z.device),
            normalized=self._normalized,
            length=length,
        )
        return wave.view(*z.shape[:-2], length)

    def _window(self, device: torch.device) -> torch.Tensor:
        if device not in self._windows:
            make = torch.hann_window if self._hann else torch.ones
            self._windows[device] = make(self.length, device=device)
        return self._windows[device]
