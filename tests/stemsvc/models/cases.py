"""What the tests of weights share: a file of bytes, a catalog entry for it, a puller that is in no hurry to wait."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

from stemsvc.models.entry import ModelEntry
from stemsvc.models.pull import Puller
from stemsvc.models.source import WeightFile
from stemsvc.models.store import WeightStore
from tests.hub import COMMIT, Hub

DATA = random.Random(5).randbytes(400_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
FILES = {"someone/songs/net.safetensors": DATA, "net.safetensors": DATA}


def entry_of(*files: WeightFile, **fields: Any) -> ModelEntry:
    """A model of these files."""
    wanted: dict[str, Any] = {
        "name": "mine",
        "summary": "s",
        "family": "htdemucs",
        "stems": ("a", "b"),
        "sample_rate": 44100,
        "segment_seconds": 5,
        "licence": "mine",
        "files": files,
    }
    return ModelEntry(**{**wanted, **fields})


def hub_file(**fields: Any) -> WeightFile:
    """The file in the hub's repository."""
    wanted = {
        "hub": "someone/songs",
        "file": "net.safetensors",
        "revision": COMMIT,
        "sha256": SHA256,
        "size": len(DATA),
    }
    return WeightFile(**{**wanted, **fields})


def url_file(served: Hub, **fields: Any) -> WeightFile:
    """The file at a plain address."""
    wanted = {"url": f"{served.endpoint}/plain/net.safetensors", "sha256": SHA256, "size": len(DATA)}
    return WeightFile(**{**wanted, **fields})


def puller_in(folder: Path, **options: Any) -> Puller:
    """A puller over a folder, with short pauses."""
    return Puller(WeightStore(folder), **{"pauses": (0.01, 0.02, 0.04), **options})
