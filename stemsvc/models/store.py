"""The folder of weights on this machine: one whole, hashed file for each file of the catalog, or none."""

from __future__ import annotations

import contextlib
import enum
import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from stemsvc.errors import (
    CacheBroken,
    CacheFull,
    CacheReadOnly,
    WeightsCorrupt,
)
from stemsvc.host.digest import sha256_of
from stemsvc.host.folders import open_shared, share, shared_folder
from stemsvc.models.source import WeightFile

FULL = {errno.ENOSPC, errno.EDQUOT}
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
CONVERSION_DAYS = 30  # a network converted for a CPU is deleted when unused for so long, and made again when needed


class State(enum.Enum):
    """The state of a file in its place."""

    HERE = "here"
    MISSING = "missing"
    CORRUPT = "corrupt"


@dataclass(frozen=True)
class Receipt:
    """What a converted file is, and what it was made from."""

    source: str
    source_sha256: str
    sha256: str
    size: int


class WeightStore:
    """Files of weights in `folder`. Any number of processes may share it; it may be read-only once all is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, file: WeightFile) -> Path:
        """Where a catalog's file lies, converted where that is needed, or would."""
        if file.path is not None and not file.pickled:
            return file.path
        return self.folder / file.kept_as

    def part(self, file: WeightFile) -> Path:
        """Where the bytes of a download are collected."""
        return self.folder / ".parts" / f"{file.key}.part"

    def snapshot(self, file: WeightFile) -> State:
        """The file's state, by name and size only; `check` reads every byte."""
        expected = self._expected(file)
        try:
            size = self.place(file).stat().st_size
        except OSError:
            return State.MISSING
        if expected is None:
            return State.MISSING if file.pickled else State.HERE
        return State.HERE if expected[1] in (None, size) else State.CORRUPT

    def check(self, file: WeightFile) -> State:
        """Whether every byte in the file's place is as the catalog says."""
        expected = self._expected(file)
        place = self.place(file)
        if expected is None:  # the operator's own file, without a known hash, or one that is not converted yet
            return State.HERE if place.is_file() and not file.pickled else State.MISSING
        try:
            return State.HERE if sha256_of(place) == expected[0] else State.CORRUPT
        except FileNotFoundError:
            return State.MISSING
        except OSError as error:
            raise WeightsCorrupt(f"{place} can't be read: {error.strerror}") from error

    def digest(self, file: WeightFile) -> str | None:
        """The sha256 that the file in place must have; None where none is known."""
        expected = self._expected(file)
        return expected[0] if expected else None

    def _expected(self, file: WeightFile) -> tuple[str, int | None] | None:
        if file.pickled:
            receipt = self._receipt(file)
            return (receipt.sha256, receipt.size) if receipt else None
        return (file.sha256, file.size) if file.sha256 else None

    def _receipt(self, file: WeightFile) -> Receipt | None:
        try:
            receipt = Receipt(**json.loads((self.folder / f"{file.key}.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None
        if file.path is not None and file.path.exists() and sha256_of(file.path) != receipt.source_sha256:
            return None  # a new checkpoint was put where the old one lay
        return receipt if file.sha256 in (None, receipt.source_sha256) else None

    @contextlib.contextmanager
    def writing(self, file: WeightFile, name: str, on_wait: Callable[[], None]) -> Iterator[bool]:
        """Hold the file's lock. A process that waits for it lets another one do the work.

        Calls `on_wait` each second of waiting. Yields whether another process had the lock first. Raises `FatalError`
        `cache_read_only`, `TransientError` `cache_full`.
        """
        with self.guarded(name):
            for folder in (self.folder / ".parts", self.folder / ".locks"):
                shared_folder(folder)
            path = self.folder / ".locks" / f"{file.key}.lock"
            os.close(open_shared(path))
            lock = FileLock(path)
            waited = False
            try:
                lock.acquire(blocking=False)
            except TimeoutError:
                waited = True
                while not lock.is_locked:
                    on_wait()
                    with contextlib.suppress(TimeoutError):
                        lock.acquire(timeout=1.0)
        try:
            yield waited
        finally:
            lock.release()

    def check_room(self, size: int, name: str) -> None:
        """Raise `TransientError` `cache_full` unless twice `size` bytes are free: for a download and a conversion."""
        with self.guarded(name):
            free = shutil.disk_usage(self.folder).free
        if free < 2 * size:
            raise CacheFull(
                f"{name} needs {2 * size / 1e6:.0f} MB (twice its size) in {self.folder}, {free / 1e6:.0f} MB are "
                "free: free some or move STEMSVC_CACHE_DIR",
            )

    def take(self, file: WeightFile, path: Path) -> None:
        """Put the downloaded file into its place, whole or not at all."""
        with self.guarded(file.label):
            _settle(path, self.place(file))

    def take_converted(self, file: WeightFile, path: Path, source_sha256: str) -> None:
        """Put a converted file into its place, with a receipt that records what it was made from."""
        receipt = Receipt(file.label, source_sha256, sha256_of(path), path.stat().st_size)
        with self.guarded(file.label):
            draft = path.with_suffix(".json")
            draft.write_text(json.dumps(receipt.__dict__))
            _settle(draft, self.folder / f"{file.key}.json")
            _settle(path, self.place(file))

    def set_aside(self, file: WeightFile) -> Path:
        """Move what lies in the file's place out of the way and return where it went."""
        place = self.place(file)
        aside = place.with_name(f"{place.name}.corrupt-{time.time_ns()}")
        with self.guarded(file.label):
            place.rename(aside)
        return aside

    def prune(self, wanted: Iterable[WeightFile], conversions: Path) -> list[Path]:
        """Delete what no file of the catalog needs: old weights, partial downloads, damaged files, unused conversions.

        Returns the deleted paths. Downloads that are under way are left alone.
        """
        keep = {"hub.json", "unavailable.json"} | {
            name for file in wanted for name in (file.kept_as, f"{file.key}.json")
        }
        gone = [path for path in _files(self.folder) if path.name not in keep]
        with self.guarded("prune"):
            for path in _files(self.folder / ".parts"):
                lock = FileLock(self.folder / ".locks" / f"{path.stem}.lock")
                with contextlib.suppress(TimeoutError), lock.acquire(blocking=False):
                    gone.append(path)
        oldest = time.time() - CONVERSION_DAYS * 86400
        folders = [path for path in _entries(conversions) if path.name.startswith(("openvino-", ".openvino-"))]
        gone += [path for path in folders if _last_used(path) < oldest]
        with self.guarded("prune"):
            for path in gone:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        return gone

    def used(self) -> int:
        """Bytes of weights in the folder."""
        return sum(path.stat().st_size for path in _files(self.folder))

    @contextlib.contextmanager
    def guarded(self, name: str) -> Iterator[None]:
        """Turn the file system's errors into ours."""
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise CacheFull(
                    f"the disk of {self.folder} is full: {name} does not fit; free some space or move "
                    "STEMSVC_CACHE_DIR",
                ) from error
            if error.errno in READ_ONLY:
                raise CacheReadOnly(
                    f"{self.folder} can't be written and lacks {name}: fill it with `stemsvc models "
                    "pull` where it can be written, or set STEMSVC_CACHE_DIR",
                ) from error
            raise CacheBroken(f"{name} can't be written to {self.folder}: {error.strerror}") from error


def _settle(path: Path, place: Path) -> None:
    """Rename `path` to `place`, as open as its folder; after a power cut there is the whole file or none."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    share(path)
    path.replace(place)
    handle = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _files(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_file()]


def _last_used(folder: Path) -> float:
    mark = folder / "sums.json"
    return (mark if mark.exists() else folder).stat().st_mtime
