"""The model catalog: which models clients may ask for, and where their weights come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from stemsvc.errors import BadCatalog, FatalError, UnknownModel, UnknownPreset
from stemsvc.models.chains import chained, united
from stemsvc.models.config import FAMILIES, hyperparameters, read_config
from stemsvc.models.demucs import DEMUCS
from stemsvc.models.entry import CHAIN, ModelEntry
from stemsvc.models.generators import GeneratorEntry, Generators
from stemsvc.models.lock import Locked, filled_in, read_lock
from stemsvc.models.marked_yaml import Marked, read_marked
from stemsvc.models.presets import Preset
from stemsvc.models.set_names import WITH
from stemsvc.models.source import from_folder

BUNDLED = Path(__file__).parent / "catalog.yaml"
AUTO = "auto"  # as the default model: `BEST`, or `BUNDLED_MODEL` where the weights of that can't be had
BEST, BUNDLED_MODEL = "htdemucs", "demo"
CONFIGURED = ("stems", "sample_rate", "segment_seconds")  # what an entry need not say where its config does
Named = TypeVar("Named", bound=BaseModel)
SECTIONS = {"models", "presets", "generators"}
NONE = Generators()
Unserved = Callable[[str], Mapping[str, str]]  # device -> {model: why it can't be had there now}
DEMO_WEIGHTS = Path(__file__).parent.parent / "demo" / "demo.safetensors"


class Catalog:
    """The models, presets and generators by name. `default` is the model of jobs that name none: a name, or `auto`.

    `unserved` tells which models can't be had on a device now, and why; `unasked` which are not for a job that does not
    name them. Both are asked only where a model is chosen.
    """

    def __init__(
        self,
        entries: dict[str, ModelEntry],
        default: str = AUTO,
        presets: Mapping[str, Preset] | None = None,
        unserved: Unserved = lambda device: {},
        generators: Generators = NONE,
        unasked: Unserved = lambda device: {},
    ) -> None:
        self._entries = entries
        self._default = default
        self._presets = dict(presets or {})
        self._unserved = unserved
        self._unasked = unasked
        self.generators = generators

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
        if not limited:
            return self
        return Catalog(self._entries, BUNDLED_MODEL, self._presets, self._unserved, self.generators, self._unasked)

    def aware_of(self, unserved: Unserved, unasked: Unserved | None = None) -> Catalog:
        """The same, where the models that `unserved` and `unasked` tell are not chosen for a job."""
        return Catalog(self._entries, self._default, self._presets, unserved, self.generators, unasked or self._unasked)

    def unserved(self, device: str = "auto") -> Mapping[str, str]:
        """The models that can't be had on that device now, and why. Any other may be there, or may come."""
        return self._unserved(device)

    def passed_over(self, device: str = "auto") -> Mapping[str, str]:
        """The models that a job gets only by their names, and why: those of `unserved` and of `unasked`."""
        return {**self._unasked(device), **self._unserved(device)}

    @property
    def names(self) -> list[str]:
        """Every model's name, in the catalog's order."""
        return list(self._entries)

    @property
    def entries(self) -> list[ModelEntry]:
        """Every model, in the catalog's order."""
        return list(self._entries.values())

    @property
    def presets(self) -> list[Preset]:
        """Every preset, in the catalog's order."""
        return list(self._presets.values())

    def get(self, name: str) -> ModelEntry:
        """The model of that name, the default where it is empty, or the set of the models whose names `+` joins.

        Raises `UsageError` `unknown_model`.
        """
        name = name or self.default
        parts = name.split(WITH)
        for part in parts:
            if part not in self._entries:
                raise UnknownModel(f"model {part!r} is not one of {', '.join(self._entries)}")
        return self._entries[name] if len(parts) == 1 else self.together(parts)

    def together(self, names: Sequence[str]) -> ModelEntry:
        """The set of the models of these names; raises `UsageError` `unknown_model` where they make none."""
        try:
            return united(names, self._entries)
        except ValueError as error:
            raise UnknownModel(f"{WITH.join(names)} makes no set of models: {error}") from error

    def preset(self, name: str) -> Preset:
        """The preset of that name; raises `UsageError` `unknown_preset`."""
        if name not in self._presets:
            raise UnknownPreset(f"quality {name!r} is not one of {', '.join(self._presets)}")
        return self._presets[name]

    def means_preset(self, name: str) -> bool:
        """Whether that name, given as a model's, is that of a preset."""
        return name in self._presets and name not in self._entries


def load_catalog(
    extra: Path | None = None, default: str = AUTO, *, locked: bool = True, accepted: Collection[str] = ()
) -> Catalog:
    """The bundled catalog, with the models and presets of the file `extra` added; they replace those of the same name.

    `default` is the model of jobs that name none. With `locked`, the lock file beside `extra` fills in what the files
    lack. `accepted` are the licences that the operator accepts. Raises `FatalError` `bad_catalog`, which names the
    file, the line, the model and the key.
    """
    entries: dict[str, ModelEntry] = {}
    presets: dict[str, Preset] = {}
    generators: dict[str, GeneratorEntry] = {}
    for path in (BUNDLED, extra):
        if path is not None:
            text = _opened(path)
            entries.update(_models(text, entries, locked))
            presets.update(_presets(text, entries))
            generators.update(_generators(text, locked))
    return Catalog(entries, default, presets, generators=Generators(generators, accepted))


def lock_path(catalog: Path) -> Path:
    """Where the lock file of a catalog lies."""
    return catalog.with_suffix(".lock.yaml")


def _opened(path: Path) -> Marked:
    text = read_marked(path)
    whole = isinstance(text.value, dict) and text.value and set(text.value) <= SECTIONS
    if not whole or not all(isinstance(section, dict) for section in text.value.values()):
        raise _bad(text, (), "a catalog is a mapping with the key `models`, `presets` or `generators`, each with names")
    return text


def _models(text: Marked, known: dict[str, ModelEntry], locked: bool) -> dict[str, ModelEntry]:
    models = text.value.get("models", {})
    seen = read_lock(lock_path(text.path)) if locked else {}
    entries: dict[str, ModelEntry] = {}
    # what is made of others comes after them, wherever it stands
    for name, fields in sorted(models.items(), key=lambda each: _made_of_others(each[1])):
        entries[str(name)] = _entry(text, str(name), fields, seen, {**known, **entries})
    entries = {str(name): entries[str(name)] for name in models}
    for name, entry in entries.items():
        if entry.fallback is not None and entry.fallback not in {*known, *entries} - {name}:
            raise _bad(text, ("models", name, "fallback"), f"{entry.fallback!r} is no other model of the catalog")
    return entries


def _presets(text: Marked, models: Mapping[str, ModelEntry]) -> dict[str, Preset]:
    presets: dict[str, Preset] = {}
    for name, fields in text.value.get("presets", {}).items():
        where = ("presets", str(name))
        if not isinstance(fields, dict):
            raise _bad(text, where, "a preset is a mapping")
        presets[str(name)] = preset = _validated(text, where, Preset, fields)
        for number, option in enumerate(preset.options):
            if option.model is not None and option.model not in models:
                raise _bad(text, (*where, "options", number, "model"), f"{option.model!r} is no model of the catalog")
    return presets


def _generators(text: Marked, locked: bool) -> dict[str, GeneratorEntry]:
    seen = read_lock(lock_path(text.path)) if locked else {}
    entries: dict[str, GeneratorEntry] = {}
    for name, fields in text.value.get("generators", {}).items():
        where = ("generators", str(name))
        if not isinstance(fields, dict):
            raise _bad(text, where, "a generator is a mapping")
        entry = _validated(text, where, GeneratorEntry, fields)
        files = tuple(filled_in(file, seen) for file in from_folder(entry.files, text.path.parent))
        entries[str(name)] = entry.model_copy(update={"files": files})
    return entries


def _made_of_others(fields: Any) -> bool:
    return isinstance(fields, dict) and fields.get("family") == CHAIN


def _entry(text: Marked, name: str, fields: Any, locked: dict[str, Locked], known: dict[str, ModelEntry]) -> ModelEntry:
    if not isinstance(fields, dict):
        raise _bad(text, ("models", name), "a model is a mapping")
    if WITH in name:
        raise _bad(text, ("models", name), f"a model's name has no {WITH}: it joins the models of a set")
    if "name" in fields:
        raise _bad(text, ("models", name, "name"), "a model's name is the key it stands under")
    if _made_of_others(fields):
        try:
            said, parts = chained(fields, known)
            entry = _validated(text, ("models", name), ModelEntry, said)
            entry._parts.update(parts)
            return entry
        except ValueError as error:
            raise _bad(text, ("models", name, "steps"), str(error)) from error
    fields = _configured(text, name, fields) if "config" in fields else fields
    entry = _validated(text, ("models", name), ModelEntry, fields)
    files = from_folder(entry.files, text.path.parent)
    return entry.model_copy(update={"files": tuple(filled_in(file, locked) for file in files)})


def _validated(text: Marked, where: tuple[str, str], of: type[Named], fields: dict[str, Any]) -> Named:
    """The model or preset that stands at `where`; the last part of that is its name."""
    try:
        return of.model_validate({**fields, "name": where[-1]})
    except ValidationError as error:
        # a misspelt key also makes a key missing: the misspelt one says more
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise _bad(text, (*where, *first["loc"]), first["msg"].removeprefix("Value error, ")) from error


def _configured(text: Marked, name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The entry with its config read, and with what only the config says."""
    config, family = fields["config"], fields.get("family")
    if isinstance(config, str):
        config = read_config(text.path.parent / config)
    if not isinstance(config, Mapping) or family not in {*FAMILIES, *DEMUCS}:
        return fields  # the model says what is wrong
    try:
        read = hyperparameters(family, config)
    except ValueError as error:
        raise _bad(text, ("models", name, "config"), str(error)) from error
    stems = fields.get("stems", read.stems)
    if len(stems) != len(read.stems):
        raise _bad(text, ("models", name, "stems"), f"the config has {len(read.stems)}: {', '.join(read.stems)}")
    said = {
        "stems": read.stems,
        "rest": None if read.rest is None else stems[read.stems.index(read.rest)],
        "sample_rate": read.sample_rate,
        "segment_seconds": read.chunk / read.sample_rate,
        "overlap": read.overlap,
    }
    return {**said, **fields, "config": dict(config)}


def _bad(text: Marked, where: tuple[str | int, ...], what: str) -> FatalError:
    key = ".".join(str(part) for part in where)
    return BadCatalog(f"{text.path}:{text.line(where)}: {key}: {what}" if key else f"{text.path}: {what}")
