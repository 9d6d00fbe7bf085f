"""The folder that a command writes its files to, looked at before the work: hours later is too late to say no."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stemsvc.errors import BadOutput
from stemsvc.host.folders import for_the_caller
from stemsvc.jobs.filenames import MOST_BYTES, stem_filename


@dataclass(frozen=True)
class OutputFolder:
    """Where each file goes, by its name in a job's `files`."""

    targets: Mapping[str, Path]

    def write(self, name: str, source: Path) -> Path:
        """Copy the file there; returns its place. Raises `FatalError` `bad_output`."""
        target = self.targets[name]
        with _translated(target), for_the_caller():
            shutil.copyfile(source, target)
        return target


def open_output_folder(folder: Path, track: str, files: Mapping[str, tuple[str, str]]) -> OutputFolder:
    """The folder, made where it is not there. `files` are each file's stem and ending; `track` is the song's name.

    Raises `FatalError` `bad_output` where the files can't be written there.
    """
    with _translated(folder), for_the_caller():
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    most = _most_bytes(folder)
    targets = {name: folder / stem_filename(track, *file, most=most) for name, file in files.items()}
    for target in targets.values():
        with _translated(target):
            if target.is_dir():
                raise BadOutput(f"{target} is a folder")
            if target.exists() and not os.access(target, os.W_OK):
                raise BadOutput(f"{target} is there, and may not be replaced")
            with contextlib.suppress(FileNotFoundError):
                target.lstat()  # raises where the whole path is too long
    return OutputFolder(targets)


def _most_bytes(folder: Path) -> int:
    """How long a name may be there: encrypted folders take less than others."""
    try:
        return min(MOST_BYTES, os.pathconf(folder, "PC_NAME_MAX"))
    except (OSError, ValueError):
        return MOST_BYTES


@contextlib.contextmanager
def _translated(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadOutput(f"{place} can't be written: {error.strerror}") from error
