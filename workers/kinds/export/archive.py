"""Zip files of media and texts. The same input makes the same bytes."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from workers.audio.track import scratch_errors
from workers.kinds.base import LocalInput
from workers.kinds.export.session import Session, file_name

CHUNK = 1 << 20
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day that zip can tell


class Archive:
    """A zip in the making; sound is stored as it is, texts are compressed. Raises `TransientError` `scratch_full`."""

    def __init__(self, path: Path, on_tick: Callable[[], None]) -> None:
        self._tick = on_tick
        with scratch_errors():
            self._zip = zipfile.ZipFile(path, "w")

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with scratch_errors():
            self._zip.close()

    def add(self, name: str, path: Path) -> None:
        """Add a file as it is."""
        entry = zipfile.ZipInfo(name, EPOCH)
        entry.external_attr = 0o644 << 16
        with scratch_errors(), path.open("rb") as source, self._zip.open(entry, "w", force_zip64=True) as target:
            while part := source.read(CHUNK):
                self._tick()
                target.write(part)

    def write(self, name: str, text: str) -> None:
        """Add a text, as UTF-8."""
        entry = zipfile.ZipInfo(name, EPOCH)
        entry.external_attr = 0o644 << 16
        with scratch_errors():
            self._zip.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)

    def folder(self, name: str) -> None:
        """Add an empty folder."""
        with scratch_errors():
            self._zip.writestr(zipfile.ZipInfo(f"{name}/", EPOCH), b"")


def write_archive(session: Session, inputs: Sequence[LocalInput], archive: Archive) -> None:
    """Add the files to the archive as they came, and `manifest.json`, which says what each is."""
    names, told = distinct([each.name for each in inputs]), []
    for name, each in zip(names, inputs, strict=True):
        archive.add(f"{session.folder}/{name}", each.path)
        own = {"file": name, "role": each.role, "output": each.output or None, "bytes": each.path.stat().st_size}
        told.append({**own, "sha256": each.sha256 or _digest(each.path)})
    tracks = [
        {
            "name": lane.name,
            "seconds": lane.media.seconds,
            "sample_rate": lane.media.rate,
            "channels": lane.media.channels,
        }
        for lane in session.lanes
    ]
    manifest = {"title": session.title, "files": told, "tracks": tracks}
    archive.write(f"{session.folder}/manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")


def distinct(names: Sequence[str]) -> list[str]:
    """Names for files in one folder: of equal ones, also where case alone differs, the later get a number before."""
    taken, found = {"manifest.json"}, []
    for each in map(file_name, names):
        number, name = 1, each
        while name.lower() in taken:
            number += 1
            name = f"{number} {each}"
        taken.add(name.lower())
        found.append(name)
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
