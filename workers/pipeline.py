"""From a file on disk to encoded stems on disk: decode, separate, encode. Knows no job and no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stemsvc.catalog import ModelEntry
from stemsvc.jobs import EXTENSIONS, JobOptions
from workers.audio.decode import Limits, decode
from workers.audio.encode import Encoded, encode
from workers.audio.rate import resample
from workers.audio.track import Track
from workers.engine.separate import separate
from workers.engine.weights import load_model

if TYPE_CHECKING:
    from demucs.apply import BagOfModels

# Called with the stage's name and, while separating, finished and all segments.
OnProgress = Callable[[str, int, int], None]


@dataclass
class Models:
    """The network loaded last, kept for the next job of this process."""

    _loaded: dict[str, BagOfModels] = field(default_factory=dict)

    def get(self, entry: ModelEntry) -> BagOfModels:
        """The entry's network; loading another one drops the one before, so that memory holds one."""
        if entry.name not in self._loaded:
            self._loaded.clear()
            self._loaded[entry.name] = load_model(entry)
        return self._loaded[entry.name]


@dataclass(frozen=True)
class Separated:
    """What a file turned out to be, and the files made of it by name."""

    track: Track
    outputs: dict[str, Encoded]


def separate_file(
    source: Path, folder: Path, options: JobOptions, entry: ModelEntry, device: str,
    models: Models, limits: Limits, on_progress: OnProgress,
) -> Separated:  # fmt: skip
    """Write `<stem>.<extension>` for every output asked for into `folder`, at the source's rate and exact length."""
    on_progress("decoding", 0, 0)
    track = decode(source, folder / "decoded.f32", limits)
    on_progress("loading", 0, 0)
    model = models.get(entry)
    mixture = resample(track.samples(), track.sample_rate, entry.sample_rate)
    on_progress("separating", 0, 1)
    stems = separate(model, mixture, options.stems, device, lambda done, total: on_progress("separating", done, total))
    on_progress("encoding", 1, 1)
    return Separated(track, _encode_all(track, stems, folder, options, entry))


def _encode_all(
    track: Track, stems: dict[str, NDArray[np.float32]], folder: Path, options: JobOptions, entry: ModelEntry
) -> dict[str, Encoded]:
    outputs: dict[str, Encoded] = {}
    rest = np.array(track.samples()) if options.residual else None  # stems returned + residual = the mixture
    for name, samples in stems.items():
        native = resample(samples, entry.sample_rate, track.sample_rate, track.frames)
        if rest is not None:
            rest -= native
        outputs[name] = _encode_one(native, name, track, folder, options)
    if rest is not None:
        outputs["residual"] = _encode_one(rest, "residual", track, folder, options)
    return outputs


def _encode_one(samples: NDArray[np.float32], name: str, track: Track, folder: Path, options: JobOptions) -> Encoded:
    path = folder / f"{name}.{EXTENSIONS[options.format]}"
    return encode(samples, track.sample_rate, path, options.format, options.bit_depth)
