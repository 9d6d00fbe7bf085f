"""Features of a track as they come, without a heap that grows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class Rows:
    """Rows [n, width] that come in pieces. They are copied into one array that doubles: small arrays that stay, among
    large ones that come and go, let the heap grow by 20 MB for each minute of a track.
    """

    def __init__(self, width: int) -> None:
        self._held = np.empty((4096, width), np.float32)
        self._count = 0

    def extend(self, pieces: Iterable[NDArray[np.float32]]) -> None:
        """Copy the pieces behind what is there."""
        for piece in pieces:
            stop = self._count + len(piece)
            if stop > len(self._held):
                grown = np.empty((max(stop, 2 * len(self._held)), self._held.shape[1]), np.float32)
                grown[: self._count] = self._held[: self._count]
                self._held = grown
            self._held[self._count : stop] = piece
            self._count = stop

    def all(self) -> NDArray[np.float32]:
        """The rows so far."""
        return self._held[: self._count].copy()
