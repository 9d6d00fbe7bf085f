"""The model catalog: what can be asked for and where its weights come from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stemsvc.errors import FatalError, UsageError

BUNDLED = Path(__file__).parent / "catalog.yaml"
DEMO_WEIGHTS = Path(__file__).parent / "demo" / "demo.safetensors"


class ModelEntry(BaseModel):
    """One model: its stems in the network's order, its native rate and segment, its weights' source.

    `cost` is in seconds of computing for each second of a track, without overlap, on two cores of an AMD EPYC;
    `memory_mb` is what a worker child needs at its peak.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    summary: str
    family: Literal["htdemucs", "hdemucs", "demucs"]
    stems: tuple[str, ...] = Field(min_length=1)
    sample_rate: int = Field(gt=0)
    segment_seconds: float = Field(gt=0)
    cost: float = Field(0.2, gt=0)
    memory_mb: int = Field(1000, gt=0)
    weights: Literal["bundled", "hub", "file"]
    path: Path | None = None  # of a safetensors file, where weights is `file`
    licence: str

    @property
    def weights_path(self) -> Path | None:
        """The local safetensors file, or None where the hub provides it."""
        return DEMO_WEIGHTS if self.weights == "bundled" else self.path


class Catalog:
    """The models by name."""

    def __init__(self, entries: dict[str, ModelEntry]) -> None:
        self._entries = entries

    @property
    def names(self) -> list[str]:
        """Every model's name, in the catalog's order."""
        return list(self._entries)

    @property
    def entries(self) -> list[ModelEntry]:
        """Every model, in the catalog's order."""
        return list(self._entries.values())

    def get(self, name: str) -> ModelEntry:
        """The model of that name; raises `UsageError` `unknown_model`."""
        if name not in self._entries:
            raise UsageError("unknown_model", f"model {name!r} is none of {', '.join(self._entries)}")
        return self._entries[name]


def load_catalog(extra: Path | None = None) -> Catalog:
    """The bundled catalog, with the entries of the file `extra` added or put in their place.

    Raises `FatalError` `bad_catalog` that names the file, the model and the key at fault.
    """
    entries: dict[str, ModelEntry] = {}
    for path in (BUNDLED, extra):
        if path is not None:
            entries.update(_read(path))
    return Catalog(entries)


def _read(path: Path) -> dict[str, ModelEntry]:
    try:
        models = yaml.safe_load(path.read_text())["models"]
        return {name: ModelEntry(name=name, **fields) for name, fields in models.items()}
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FatalError("bad_catalog", f"{path}: {error.title} {where}: {first['msg']}") from error
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise FatalError("bad_catalog", f"{path}: {error}") from error
