"""A backup of the service in one file: a zip of the job store's rows, the stored files where wanted, and a manifest.

`manifest.json` says the format, the release, the revision of the tables, and each member's SHA-256 and size. It is
written last. Rows are in `tables/NAME.jsonl`, files in `files/KEY`. Rows are of one moment; files are copied after
it, so each file that a row names is there unless it was erased meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, cast

from stemsvc.errors import BackupBroken, BackupUnknown, BadOutput, ObjectMissing, StoreMissing
from stemsvc.jobstore.dump import dump
from stemsvc.storage import Storage

FORMAT = 1
MANIFEST = "manifest.json"
TABLES, FILES = "tables/", "files/"
KEPT = ("jobs/", "uploads/")  # what all our keys start with
CHUNK = 1024 * 1024
LONGEST_MANIFEST = 256 * CHUNK


@dataclass(frozen=True)
class Member:
    """A member of the zip: the SHA-256 and number of its bytes, and how many rows a table has."""

    sha256: str
    bytes: int
    rows: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What a backup has. `made_at` is in seconds since the epoch, `erased` how many files went while it was made."""

    format: int
    version: str
    revision: str
    made_at: float
    with_files: bool
    members: dict[str, Member] = field(default_factory=dict)
    erased: int = 0


def write_backup(path: Path, url: str, storage: Storage | None) -> Manifest:
    """Write a backup of the store at `url`, and of all files in `storage` if one is given; the service may run.

    The file appears whole or not at all; only this user can read it. Raises `FatalError` `bad_output` where it exists
    already or can't be written, `store_missing` where the store has no tables, and the errors of store and storage.
    """
    if path.exists():
        raise BadOutput(f"{path} exists already")
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with draft.open("xb") as file:
            draft.chmod(0o600)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                manifest = _Writer(archive).write(url, storage)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise BadOutput(f"{path} can't be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return manifest


class _Writer:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members: dict[str, Member] = {}
        self._erased = 0

    def write(self, url: str, storage: Storage | None) -> Manifest:
        made_at = time.time()
        revision = dump(url, self._table)
        if revision is None:
            raise StoreMissing("the job store has no tables: there is nothing to back up")
        if storage is not None:
            for key in (key for prefix in KEPT for key in storage.keys(prefix)):
                self._file(storage, key)
        found = Manifest(
            FORMAT, version("stemsvc"), revision, made_at, storage is not None, self._members, self._erased
        )
        self._archive.writestr(MANIFEST, json.dumps(asdict(found), indent=1))
        return found

    def _table(self, name: str, lines: Iterator[str]) -> None:
        rows = 0

        def counted() -> Iterator[bytes]:
            nonlocal rows
            for line in lines:
                rows += 1
                yield line.encode() + b"\n"

        self._add(f"{TABLES}{name}.jsonl", zipfile.ZIP_DEFLATED, counted())
        member = self._members[f"{TABLES}{name}.jsonl"]
        self._members[f"{TABLES}{name}.jsonl"] = Member(member.sha256, member.bytes, rows)

    def _file(self, storage: Storage, key: str) -> None:
        try:
            data = storage.open(key)
        except ObjectMissing:  # erased since it was listed
            self._erased += 1
            return
        with contextlib.closing(data):
            self._add(f"{FILES}{key}", zipfile.ZIP_STORED, iter(lambda: data.read(CHUNK), b""))

    def _add(self, name: str, compression: int, chunks: Iterable[bytes]) -> None:
        info = zipfile.ZipInfo(name, time.gmtime()[:6])
        info.compress_type, info.external_attr = compression, 0o600 << 16
        digest, size = hashlib.sha256(), 0
        with self._archive.open(info, "w", force_zip64=True) as member:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                member.write(chunk)
        self._members[name] = Member(digest.hexdigest(), size)


@contextlib.contextmanager
def opened_backup(path: Path) -> Iterator[Backup]:
    """A backup to read. Raises `UsageError` `backup_broken` or `backup_unknown`."""
    with _whole(path), zipfile.ZipFile(path) as archive:
        yield Backup(archive, _manifest(archive))


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BackupBroken(f"there is no file {path}") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise BackupBroken(f"{path} is no backup, or is damaged: {error}") from error


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    try:
        if archive.getinfo(MANIFEST).file_size > LONGEST_MANIFEST:
            raise BackupBroken("its manifest is too long")
        fields = json.loads(archive.read(MANIFEST))
        if fields["format"] != FORMAT:
            raise BackupUnknown(f"it has the format {fields['format']}; this release reads {FORMAT}")
        members = {name: Member(**each) for name, each in fields.pop("members").items()}
        return Manifest(**fields, members=members)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BackupBroken("it has no manifest of a backup") from error


class Backup:
    """An opened backup."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self._archive = archive
        self.manifest = manifest

    def check(self) -> None:
        """Read every byte. Raises `UsageError` `backup_broken` where one differs from what the manifest says."""
        names = set(self._archive.namelist()) - {MANIFEST}
        if names != set(self.manifest.members):
            odd = min(names ^ set(self.manifest.members))
            raise BackupBroken(f"{odd} is in the file or in its manifest, but not in both")
        for name, member in self.manifest.members.items():
            digest, size = hashlib.sha256(), 0
            with self._archive.open(name) as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
            if (digest.hexdigest(), size) != (member.sha256, member.bytes):
                raise BackupBroken(f"{name} is damaged")

    def lines(self, table: str) -> Iterator[str]:
        """The rows of a table, a line of JSON each; none where the backup has no such table."""
        name = f"{TABLES}{table}.jsonl"
        if name not in self.manifest.members:
            return
        with self._archive.open(name) as file:
            for line in file:
                yield line.decode()

    def keys(self) -> list[str]:
        """The keys of the stored files that it has."""
        return [name.removeprefix(FILES) for name in self.manifest.members if name.startswith(FILES)]

    def put_into(self, storage: Storage) -> int:
        """Store its files under their keys; returns how many. Raises the storage's errors."""
        keys = self.keys()
        for key in keys:
            with self._archive.open(f"{FILES}{key}") as file:
                storage.put(key, cast(BinaryIO, file), "application/octet-stream")
        return len(keys)
