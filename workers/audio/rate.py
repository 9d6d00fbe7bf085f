"""Sample rate conversion by soxr."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray


def resample(samples: NDArray[np.float32], source: int, target: int, frames: int | None = None) -> NDArray[np.float32]:
    """Convert [n, channels] from rate `source` to `target`; cut or padded with silence to `frames` where given."""
    out = samples if source == target else soxr.resample(samples, source, target, quality="VHQ")
    if frames is not None and len(out) != frames:
        out = out[:frames] if len(out) > frames else np.pad(out, ((0, frames - len(out)), (0, 0)))
    return np.ascontiguousarray(out, dtype=np.float32)
