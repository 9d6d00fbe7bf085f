"""Kinds' work on sounds, without a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.registry import AnyKind
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from tests.sounds import Sound
from workers.audio.decode import Limits, decode
from workers.kinds.local import Ran, ran

FLOAT = Encoding("wav", "float32")


def float_wav(path: Path, samples: Sound, rate: int = 44100) -> Path:
    """A wav that keeps every bit, also of what is beyond full scale."""
    soundfile.write(path, samples, rate, "FLOAT")
    return path


@contextmanager
def work(
    kind: AnyKind,
    asked: Mapping[str, Any],
    files: list[tuple[str, Path]],
    encoding: Encoding = FLOAT,
    show: Callable[[str, int, int], None] = lambda *_: None,
) -> Iterator[Ran]:
    params = kind.check(kind.read(asked), [role for role, _ in files], load_catalog())
    with ran(kind, params, files, encoding, Settings(), show) as found:
        yield found


def decoded(path: Path, folder: Path) -> tuple[Sound, int]:
    """The samples of a file, and their rate."""
    track = decode(path, folder / f"{path.name}.f32", Limits(1e9))
    return np.asarray(track.samples()), track.sample_rate
