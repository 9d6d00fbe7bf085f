"""One file of weights as the catalog names it: its source, its hash, its size."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, Protocol, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

SAFE, ONNX = ".safetensors", ".onnx"
PICKLED = (".th", ".ckpt", ".pth", ".pt")
JSON = ".json"
F = TypeVar("F", bound="WeightFile")


class WeightFile(BaseModel):
    """A file with one network, from exactly one of: a repository of the Hugging Face hub, a URL, a path.

    `sha256` and `size` (bytes) are those of the file at its source. An `.onnx` file stays as it is. `.th`, `.ckpt`,
    `.pth` and `.pt` files are checkpoints: they are converted after the download. A relative `path` starts at the
    catalog's folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    endings: ClassVar[tuple[str, ...]] = (SAFE, ONNX, *PICKLED)
    endings_words: ClassVar[str] = (
        f"weights are {SAFE} or {ONNX} files, or checkpoints ({', '.join(PICKLED)}), which are converted"
    )

    hub: str | None = Field(
        None, pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", description="`someone/repository`"
    )
    file: str | None = Field(None, description="the file's path in the hub's repository")
    revision: str | None = Field(None, pattern=r"^[A-Za-z0-9][\w./-]*$", description="commit (or branch, or tag)")
    url: str | None = Field(None, pattern=r"^https?://[^\s/]+/\S+$")
    path: Path | None = None
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    size: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_source(self) -> WeightFile:
        if sum(source is not None for source in (self.hub, self.url, self.path)) != 1:
            raise ValueError("name exactly one source: hub, url or path")
        if (self.hub is None) != (self.file is None):
            raise ValueError("hub and file go together")
        if self.revision is not None and self.hub is None:
            raise ValueError("revision goes with hub")
        if self.file is not None and any(part in ("", ".", "..") for part in self.file.split("/")):
            raise ValueError("file is a path within the repository")
        if PurePosixPath(self.filename).suffix not in self.endings:
            raise ValueError(self.endings_words)
        return self

    @property
    def filename(self) -> str:
        """The file's name, without folders."""
        return PurePosixPath(self.file or (urlsplit(self.url).path if self.url else str(self.path))).name

    @property
    def pickled(self) -> bool:
        """Whether it is a checkpoint, which must be converted."""
        return self.filename.endswith(PICKLED)

    @property
    def onnx(self) -> bool:
        """Whether it is a graph that ONNX describes, which stays as it is."""
        return self.filename.endswith(ONNX)

    @property
    def address(self) -> str:
        """The full source: a lock file names the file by it."""
        if self.hub:
            return f"{self.hub}/{self.file}@{self.revision or 'main'}"
        return self.url or str(self.path)

    @property
    def label(self) -> str:
        """The source for people: of a commit only the first 8 digits."""
        commit = re.fullmatch(r"[0-9a-f]{40}", self.revision or "")
        return self.address[:-32] if commit else self.address

    @property
    def key(self) -> str:
        """A name that no other file has."""
        mark = self.sha256 or hashlib.sha256(self.address.encode()).hexdigest()
        return f"{PurePosixPath(self.filename).stem}-{mark[:16]}"

    @property
    def kept_as(self) -> str:
        """The name under which the folder of weights keeps it, once it is converted."""
        ending = PurePosixPath(self.filename).suffix
        return f"{self.key}{SAFE if ending in PICKLED else ending}"


class DataFile(WeightFile):
    """A file of a model that has more than weights: also its configuration and its tokenizer, never a pickle."""

    endings: ClassVar[tuple[str, ...]] = (SAFE, JSON)
    endings_words: ClassVar[str] = f"a generator's files are {SAFE} and {JSON}"


def from_folder(files: Sequence[F], folder: Path) -> list[F]:
    """The files of a catalog in that folder, where their paths begin."""
    return [file.model_copy(update={"path": folder / file.path}) if file.path else file for file in files]


class Weighed(Protocol):
    """An entry of the catalog that has files to fetch."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def files(self) -> Sequence[WeightFile]:
        """Its files, whichever catalog they are of."""

    @property
    def deprecated(self) -> str | None:
        """Why it should no longer be used."""

    @property
    def fallback(self) -> str | None:
        """The model to take where it can't be had."""
