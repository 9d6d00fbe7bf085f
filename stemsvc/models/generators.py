"""The catalog's generators: networks that make music from words, and the licences that an operator accepts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stemsvc.errors import LicenceNotAccepted, UnknownModel
from stemsvc.models.source import JSON, SAFE, DataFile

LIBRARY = "transformers"  # that runs them; the optional extra `musicgen` brings it
CONFIG, TOKENIZER, INDEX = "config.json", "tokenizer.json", "model.safetensors.index.json"
NEEDED = (CONFIG, TOKENIZER)
HUB = r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$"


class GeneratorEntry(BaseModel):
    """One generator: what it is, where it is published, its licence, and its files, each pinned by hash.

    `files` is empty while nobody has pinned them: `stemsvc models add` does, by the repository `hub`. `cost` is in
    seconds of computing for each second of music, on two cores of an AMD EPYC; `memory_mb` is an accelerator's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_-]*)?$")
    summary: str
    family: Literal["musicgen", "musicgen_melody"]
    hub: str | None = Field(None, pattern=HUB, description="the repository that publishes it, `someone/repository`")
    parameters: int | None = Field(None, gt=0, description="of its decoder")
    channels: Literal[1, 2] = 1
    sample_rate: int = Field(32000, gt=0)
    window_seconds: float = Field(30.0, gt=0, le=60, description="the most that it makes at once")
    cost: float = Field(gt=0)
    memory_mb: int = Field(gt=0)
    licence: str
    licence_doubt: str | None = Field(None, description="what is unsettled about the licence")
    deprecated: str | None = Field(None, description="why it should no longer be used")
    files: tuple[DataFile, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> GeneratorEntry:
        names = [file.filename for file in self.files]
        if self.files and (set(NEEDED) - {*names} or not any(name.endswith(SAFE) for name in names)):
            raise ValueError(f"files are {', '.join(NEEDED)} and weights ({SAFE})")
        if unknown := [name for name in names if name.endswith(JSON) and name not in (*NEEDED, INDEX)]:
            raise ValueError(f"{unknown[0]} is no file that a generator reads")
        if len({*names}) < len(names):
            raise ValueError("two files have one name")
        return self

    @property
    def fallback(self) -> str | None:
        """No other entry: `sketch`, which needs no weights, takes its place."""
        return None

    @property
    def follows_melody(self) -> bool:
        """Whether it can follow the melody of a track."""
        return self.family == "musicgen_melody"

    @property
    def forbids_commerce(self) -> bool:
        """Whether its licence forbids commercial use, as each of Creative Commons' with `NC` in its name."""
        return "NC" in re.split(r"[^A-Z]+", self.licence.upper())

    @property
    def size(self) -> int | None:
        """Bytes to download; None where they are not known."""
        sizes = [file.size for file in self.files]
        return None if not sizes or None in sizes else sum(size or 0 for size in sizes)

    @property
    def digests(self) -> list[str] | None:
        """The sha256 of each of its files; None where that of one is not known."""
        found = [file.sha256 for file in self.files if file.sha256]
        return found if found and len(found) == len(self.files) else None

    @property
    def licence_words(self) -> str:
        """The licence, with what is unsettled about it in brackets."""
        return f"{self.licence} ({self.licence_doubt})" if self.licence_doubt else self.licence


class Generators:
    """The generators by name, and the licences that the operator accepts."""

    def __init__(self, entries: Mapping[str, GeneratorEntry] | None = None, accepted: Collection[str] = ()) -> None:
        self._entries = dict(entries or {})
        self._accepted = {each.casefold() for each in accepted}

    @property
    def names(self) -> list[str]:
        """Every generator's name, in the catalog's order."""
        return list(self._entries)

    @property
    def entries(self) -> list[GeneratorEntry]:
        """Every generator, in the catalog's order."""
        return list(self._entries.values())

    def find(self, name: str) -> GeneratorEntry | None:
        """The generator of that name."""
        return self._entries.get(name)

    def get(self, name: str) -> GeneratorEntry:
        """The generator of that name. Raises `UsageError` `unknown_model`."""
        if name not in self._entries:
            raise UnknownModel(f"generator {name!r} is not one of {', '.join(self._entries)}")
        return self._entries[name]

    def accepts(self, entry: GeneratorEntry) -> bool:
        """Whether the operator accepts its licence, or need not."""
        return not entry.forbids_commerce or entry.licence.casefold() in self._accepted

    def check_licence(self, entry: GeneratorEntry) -> None:
        """Raise `UsageError` `licence_not_accepted` unless the operator accepts its licence, or need not."""
        if not self.accepts(entry):
            raise LicenceNotAccepted(not_accepted(entry))


def not_accepted(entry: GeneratorEntry) -> str:
    """What to do about the licence of an entry."""
    return (
        f"the weights of {entry.name} are under {entry.licence}, which forbids commercial use: whoever runs this "
        f"service accepts that with STEMSVC_ACCEPT_LICENCES={entry.licence}"
    )
