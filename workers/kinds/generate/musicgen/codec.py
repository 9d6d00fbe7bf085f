"""Turns codes into sound, in stretches whose ends overlap: memory does not grow with the piece."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stemsvc.errors import GeneratorFailed
from workers.audio.track import Track, scratch_errors
from workers.kinds.generate.musicgen.load import Loaded

STRETCH, AROUND = 20.0, 2.0  # seconds that are kept of a stretch, and that are decoded on either side of it


def decoded(of: Loaded, codes: Tensor, path: Path, on_frames: Callable[[int, int], None]) -> Track:
    """The stereo track of codes [codebooks, frames], in the file `path`. Raises `FatalError` `generator_failed`."""
    frames, size, around = codes.shape[1], round(STRETCH * of.frame_rate), round(AROUND * of.frame_rate)
    with scratch_errors(), path.open("wb") as file:
        for start in range(0, frames, size):
            on_frames(start, frames)
            stop, first = min(start + size, frames), max(0, start - around)
            sound = _sound(of, codes[:, first : min(stop + around, frames)])
            kept = sound[(start - first) * of.hop : (stop - first) * of.hop]
            if not np.isfinite(kept).all():
                raise GeneratorFailed("the codec made samples that are not finite numbers")
            file.write(np.ascontiguousarray(kept, np.float32).tobytes())
    return Track(path, "pcm_f32le", of.sample_rate, 2, frames * of.hop)


@torch.inference_mode()
def _sound(of: Loaded, codes: Tensor) -> NDArray[np.float32]:
    """Samples [n, 2]. Codebooks of the left and the right channel alternate; mono sounds on both sides."""
    channels = of.pattern.channels
    sides = [codes[side::channels][None, None].to(of.device) for side in range(channels)]
    made = [of.network.audio_encoder.decode(side, [None]).audio_values[0, 0].float().cpu().numpy() for side in sides]
    return np.stack([made[0], made[-1]], axis=1)
