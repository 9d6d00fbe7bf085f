"""The lock file beside a catalog: revisions, hashes and sizes that were seen once and that somebody reviewed."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stemsvc.errors import BadCatalog, BadOutput
from stemsvc.models.marked_yaml import read_marked
from stemsvc.models.source import F

HEAD = """# What `stemsvc models lock` saw at {when}. Review it: from now on nothing else is loaded.
# A file is named as in the catalog; `commit` is what its revision meant then.
"""


class Locked(BaseModel):
    """What one file was when it was locked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0)
    commit: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")


def read_lock(path: Path) -> dict[str, Locked]:
    """The locked files by their address; none where there is no lock file. Raises `FatalError` `bad_catalog`."""
    if not path.exists():
        return {}
    text = read_marked(path)
    try:
        return {address: Locked(**fields) for address, fields in text.value["files"].items()}
    except (ValidationError, TypeError, KeyError, AttributeError) as error:
        raise BadCatalog(f"{path} is not a lock file of stemsvc: write it again with `models lock`") from error


def write_lock(path: Path, files: dict[str, Locked]) -> None:
    """Write the lock file, whole or not at all."""
    when = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    body = {"files": {address: files[address].model_dump(exclude_none=True) for address in sorted(files)}}
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    try:
        draft.write_text(HEAD.format(when=when) + yaml.safe_dump(body, sort_keys=False, width=200), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BadOutput(f"{path} can't be written: {error.strerror}") from error


def filled_in(file: F, locked: dict[str, Locked]) -> F:
    """The file, with what it lacks taken from the lock. A hash in the catalog goes before the lock."""
    seen = locked.get(file.address)
    if seen is None or file.sha256 is not None:
        return file
    commit = {"revision": seen.commit} if file.hub and seen.commit else {}
    return file.model_copy(update={"sha256": seen.sha256, "size": file.size or seen.size, **commit})
