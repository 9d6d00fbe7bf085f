"""The model catalog: which models clients may ask for, and where their weights come from."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stemsvc.errors import BadCatalog, FatalError, UnknownModel
from stemsvc.models.lock import Locked, filled_in, read_lock
from stemsvc.models.marked_yaml import Marked, read_marked
from stemsvc.models.source import WeightFile

BUNDLED = Path(__file__).parent / "catalog.yaml"
AUTO = "auto"  # as the default model: `BEST`, or `BUNDLED_MODEL` where the weights of that can't be had
BEST, BUNDLED_MODEL = "htdemucs", "demo"
DEMO_WEIGHTS = Path(__file__).parent.parent / "demo" / "demo.safetensors"


class ModelEntry(BaseModel):
    """One model: its stems in the networks' order, its native rate and segment, its weights.

    A model of several files is a bag: its networks' stems are averaged, by `bag_weights` [network][stem] where they
    are given. `cost` is in seconds of computing for each second of a track, without overlap, on two cores of an AMD
    EPYC; `memory_mb` is what a pool process needs at its peak.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_-]*)?$")
    summary: str
    family: Literal["htdemucs", "hdemucs", "demucs"]
    stems: tuple[str, ...] = Field(min_length=1)
    sample_rate: int = Field(gt=0)
    segment_seconds: float = Field(gt=0)
    cost: float = Field(0.2, gt=0)
    memory_mb: int = Field(1000, gt=0)
    licence: str
    licence_doubt: str | None = Field(None, description="what is unsettled about the licence")
    deprecated: str | None = Field(None, description="why it should no longer be used")
    fallback: str | None = Field(None, description="the model to take where this one is not available")
    bag_weights: tuple[tuple[float, ...], ...] | None = None
    files: tuple[WeightFile, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _bag_fits(self) -> ModelEntry:
        shape = {len(row) for row in self.bag_weights or ()}
        if self.bag_weights is not None and (len(self.bag_weights) != len(self.files) or shape != {len(self.stems)}):
            raise ValueError("bag_weights has a row for each file with a number for each stem")
        return self

    @property
    def size(self) -> int | None:
        """Bytes to download; None where the catalog does not say."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def licence_words(self) -> str:
        """The licence, with what is unsettled about it in brackets."""
        return f"{self.licence} ({self.licence_doubt})" if self.licence_doubt else self.licence


class Catalog:
    """The models by name. `default` is the model of jobs that name none: a name, or `auto`."""

    def __init__(self, entries: dict[str, ModelEntry], default: str = AUTO) -> None:
        self._entries = entries
        self._default = default

    @property
    def default(self) -> str:
        """The model of jobs that name none."""
        return BEST if self._default == AUTO else self._default

    @property
    def fallback(self) -> str:
        """What such a job takes where the weights of that model can't be had; empty: it fails."""
        return BUNDLED_MODEL if self._default == AUTO else ""

    def limited_to(self, served: Collection[str]) -> Catalog:
        """The same models, with a default that is among `served`, where that is left to us and possible."""
        limited = self._default == AUTO and BEST not in served and BUNDLED_MODEL in served
        return Catalog(self._entries, BUNDLED_MODEL) if limited else self

    @property
    def names(self) -> list[str]:
        """Every model's name, in the catalog's order."""
        return list(self._entries)

    @property
    def entries(self) -> list[ModelEntry]:
        """Every model, in the catalog's order."""
        return list(self._entries.values())

    def get(self, name: str) -> ModelEntry:
        """The model of that name, the default where it is empty; raises `UsageError` `unknown_model`."""
        name = name or self.default
        if name not in self._entries:
            raise UnknownModel(f"model {name!r} is not one of {', '.join(self._entries)}")
        return self._entries[name]


def load_catalog(extra: Path | None = None, default: str = AUTO, *, locked: bool = True) -> Catalog:
    """The bundled catalog, with the entries of the file `extra` added; they replace entries of the same name.

    `default` is the model of jobs that name none. With `locked`, the lock file beside `extra` fills in what the files
    lack. Raises `FatalError` `bad_catalog`, which names the file, the line, the model and the key.
    """
    entries: dict[str, ModelEntry] = {}
    for path in (BUNDLED, extra):
        if path is not None:
            entries.update(_read(path, entries, locked))
    return Catalog(entries, default)


def schema() -> dict[str, Any]:
    """The JSON schema of a catalog file, for editors; a copy lies beside the bundled catalog."""
    entry = ModelEntry.model_json_schema()
    kinds = entry.pop("$defs")
    del entry["properties"]["name"]
    entry["required"].remove("name")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "stemsvc's model catalog",
        "type": "object",
        "required": ["models"],
        "additionalProperties": False,
        "properties": {"models": {"type": "object", "additionalProperties": {"$ref": "#/$defs/ModelEntry"}}},
        "$defs": {**kinds, "ModelEntry": entry},
    }


def lock_path(catalog: Path) -> Path:
    """Where the lock file of a catalog lies."""
    return catalog.with_suffix(".lock.yaml")


def _read(path: Path, known: dict[str, ModelEntry], locked: bool) -> dict[str, ModelEntry]:
    text = read_marked(path)
    models = text.value.get("models") if isinstance(text.value, dict) else None
    if not isinstance(models, dict) or set(text.value) != {"models"}:
        raise _bad(text, (), "a catalog is a mapping with the one key `models`, a mapping of names to models")
    seen = read_lock(lock_path(path)) if locked else {}
    entries = {str(name): _entry(text, str(name), fields, seen) for name, fields in models.items()}
    for name, entry in entries.items():
        if entry.fallback is not None and entry.fallback not in {*known, *entries} - {name}:
            raise _bad(text, ("models", name, "fallback"), f"{entry.fallback!r} is no other model of the catalog")
    return entries


def _entry(text: Marked, name: str, fields: Any, locked: dict[str, Locked]) -> ModelEntry:
    if not isinstance(fields, dict):
        raise _bad(text, ("models", name), "a model is a mapping")
    if "name" in fields:
        raise _bad(text, ("models", name, "name"), "a model's name is the key it stands under")
    try:
        entry = ModelEntry.model_validate({**fields, "name": name})
    except ValidationError as error:
        # a misspelt key also makes a key missing: the misspelt one says more
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise _bad(text, ("models", name, *first["loc"]), first["msg"].removeprefix("Value error, ")) from error
    files = (
        file.model_copy(update={"path": text.path.parent / file.path}) if file.path else file for file in entry.files
    )
    return entry.model_copy(update={"files": tuple(filled_in(file, locked) for file in files)})


def _bad(text: Marked, where: tuple[str | int, ...], what: str) -> FatalError:
    key = ".".join(str(part) for part in where)
    return BadCatalog(f"{text.path}:{text.line(where)}: {key}: {what}" if key else f"{text.path}: {what}")
