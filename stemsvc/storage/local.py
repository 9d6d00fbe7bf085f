"""Objects in a local folder. The api serves them by URLs that carry an expiry and an HMAC over it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from stemsvc.errors import ObjectMissing, StorageDenied, StorageFull, StorageUnavailable, UploadIncomplete
from stemsvc.observe.metrics import timed
from stemsvc.storage import drafts
from stemsvc.storage.base import FULL, SignedPut, scratch_errors
from stemsvc.storage.copying import CHUNK, copy
from stemsvc.storage.parts import PARTS, are_whole, part_key, part_number
from stemsvc.storage.signing import SignedQuery, SignedUpload, Signer

DRAFT_SECONDS = 600.0  # without a write, before a dead writer's draft goes


def signing_key(path: Path, given: str) -> bytes:
    """The key that signs URLs: the one given, else one made at first use and kept in `path`, readable by us only."""
    if given:
        return given.encode()
    with translated():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32))
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)  # of several processes that start at once, one key wins
        finally:
            os.unlink(draft)
        return path.read_text().encode()


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the file system's errors into ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing(f"no such object: {Path(error.filename or '').name}") from error
    except PermissionError as error:
        raise StorageDenied(f"the object folder refuses access: {error.strerror}") from error
    except OSError as error:
        away = StorageFull if error.errno in FULL else StorageUnavailable
        raise away(str(error.strerror)) from error


class LocalStorage:
    """`Storage` in the folder `root`; `public_url` is the api's address in signed URLs, empty for relative ones.

    `draft_seconds` is the least age of a dead writer's draft that `clear_drafts` removes.
    """

    receives = True

    def __init__(
        self,
        root: Path,
        key: bytes | Callable[[], Sequence[bytes]],
        public_url: str = "",
        draft_seconds: float = DRAFT_SECONDS,
    ) -> None:
        self._root = root
        self._signer = Signer((lambda: [key]) if isinstance(key, bytes) else key, public_url)
        self._draft_seconds = draft_seconds

    @timed("put")
    def put(self, key: str, data: BinaryIO, content_type: str) -> int:
        """See `Storage.put`: written beside its place, synced, then renamed into it."""
        return self._write(key, data, None)

    def _write(self, key: str, data: BinaryIO, length: int | None) -> int:
        with translated(), drafts.drafted(self._path(key)) as file:
            copy(data, file)
            size = file.tell()
            if length not in (None, size):
                raise UploadIncomplete(f"{size} of {length} bytes came; send the file again")
        return size

    @timed("open")
    def open(self, key: str) -> BinaryIO:
        """See `Storage.open`."""
        with translated():
            return self._path(key).open("rb")

    @timed("read")
    def read(self, key: str, start: int, count: int) -> bytes:
        """See `Storage.read`."""
        with translated(), self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(count)

    @timed("fetch")
    def fetch(self, key: str, path: Path) -> None:
        """See `Storage.fetch`."""
        with translated(), self._path(key).open("rb") as source, scratch_errors(), path.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK)

    @timed("delete")
    def delete(self, prefix: str) -> int:
        """See `Storage.delete`; folders left empty go too."""
        count = 0
        with translated():
            for path in self._files(prefix):
                path.unlink(missing_ok=True)
                self._remove_empty(path.parent)
                count += not drafts.is_draft(path)
        return count

    @timed("keys")
    def sizes(self, prefix: str) -> dict[str, int]:
        """See `Storage.sizes`."""
        found = {}
        with translated():
            for path in self._files(prefix):
                if not drafts.is_draft(path):
                    with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
                        found[self._key_of(path)] = path.stat().st_size
        return dict(sorted(found.items()))

    def keys(self, prefix: str) -> list[str]:
        """See `Storage.keys`."""
        return list(self.sizes(prefix))

    @timed("clear_drafts")
    def clear_drafts(self, prefixes: Sequence[str]) -> int:
        """See `Storage.clear_drafts`: those that no process has locked, `draft_seconds` after the last write.

        The folder is ours alone: it may be any draft.
        """
        count = 0
        with translated():
            for path in self._files(""):
                if drafts.is_draft(path) and drafts.remove_dead(path, self._draft_seconds):
                    self._remove_empty(path.parent)
                    count += 1
        return count

    def _files(self, prefix: str) -> list[Path]:
        """All objects and drafts whose keys start with `prefix`."""
        folder = self._root.joinpath(*prefix.split("/")[:-1])
        files = (Path(parent, name) for parent, _, names in os.walk(folder, onerror=_raise) for name in names)
        return [path for path in files if self._key_of(path).startswith(prefix)]

    def _key_of(self, path: Path) -> str:
        """The key of an object, or of what a draft will be."""
        return "/".join((*path.parent.relative_to(self._root).parts, drafts.target_name(path.name)))

    def _remove_empty(self, folder: Path) -> None:
        with contextlib.suppress(OSError):  # not empty: another object lives there
            while folder != self._root:
                folder.rmdir()
                folder = folder.parent

    def signed_url(self, key: str, seconds: int, filename: str, content_type: str, sha256: str = "") -> str:
        """See `Storage.signed_url`."""
        return self._signer.get_url(key, seconds, filename, content_type, sha256)

    def signed_put(self, key: str, seconds: int, max_bytes: int, bytes: int | None = None) -> SignedPut:
        """See `Storage.signed_put`."""
        return SignedPut(self._signer.put_url(key, seconds, max_bytes, bytes))

    def admit(self, key: str, query: SignedUpload, length: int | None) -> int:
        """See `Signer.check_put`."""
        return self._signer.check_put(key, query, length)

    def receive(self, key: str, query: SignedUpload, data: BinaryIO, length: int | None) -> int:
        """Store what a client sends to a URL of `signed_put`; returns its size in bytes.

        Raises what `admit` raises, and `UsageError` `upload_incomplete`; nothing is stored then.
        """
        length = self.admit(key, query, length)
        self.check_room(length)
        return self._write(key, data, length)

    def begin(self, key: str) -> str:
        """See `Storage.begin`: parts lie beside the object."""
        return PARTS

    def signed_part(self, key: str, begun: str, number: int, seconds: int, bytes: int) -> SignedPut:
        """See `Storage.signed_part`."""
        return self.signed_put(part_key(key, number), seconds, bytes, bytes)

    def parts(self, key: str, begun: str) -> dict[int, int]:
        """See `Storage.parts`."""
        found = {part_number(key, each): size for each, size in self.sizes(f"{key}{PARTS}").items()}
        return {number: size for number, size in found.items() if number is not None}

    @timed("join")
    def join(self, key: str, begun: str, sizes: Sequence[int]) -> None:
        """See `Storage.join`."""
        if self.size(key) == sum(sizes):  # also one that came whole after some of its parts
            self.delete(f"{key}{PARTS}")
            return
        if not are_whole(self, key, self.parts(key, begun), sizes):
            return
        self.check_room(sum(sizes))
        try:
            with translated(), drafts.drafted(self._path(key)) as file:
                for number in range(1, len(sizes) + 1):
                    with self._path(part_key(key, number)).open("rb") as part:
                        shutil.copyfileobj(part, file, CHUNK)
                if file.tell() != sum(sizes):
                    raise UploadIncomplete("a part was sent again while the parts were joined; try again")
        except ObjectMissing:  # a part went: somebody else has joined them, or deleted the upload
            if self.size(key) != sum(sizes):
                raise
        self.delete(f"{key}{PARTS}")

    @timed("size")
    def size(self, key: str) -> int | None:
        """See `Storage.size`."""
        with translated(), contextlib.suppress(FileNotFoundError):
            return self._path(key).stat().st_size
        return None

    @timed("copy")
    def copy(self, source: str, target: str) -> None:
        """See `Storage.copy`: a second link to the same bytes, which are never changed in place."""
        here, there = self._path(source), self._path(target)
        with translated():
            try:
                drafts.link(here, there)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EMLINK, errno.EXDEV, errno.EOPNOTSUPP):
                    raise
                with here.open("rb") as data, drafts.drafted(there) as file:  # a file system without links
                    shutil.copyfileobj(data, file, CHUNK)

    def resolve(self, key: str, query: SignedQuery) -> Path:
        """The file behind a signed URL. Raises `UsageError` `url_invalid`, `url_expired` or `object_missing`."""
        self._signer.check_get(key, query)
        path = self._path(key)
        if not path.is_file():
            raise ObjectMissing("the file behind this URL is gone")
        return path

    def check_room(self, bytes: int) -> None:
        """See `Storage.check_room`."""
        with translated():
            self._root.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self._root).free
        if free < bytes:
            raise StorageFull(f"{free >> 20} MB are free for objects, {bytes >> 20} MB are needed")

    @timed("check")
    def check(self) -> None:
        """See `Storage.check`."""
        with translated():
            self._root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._root, prefix=drafts.PREFIX) as file:
                file.write(b"check")

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts):
            raise ObjectMissing("no such object")
        return self._root.joinpath(*parts)


def _raise(error: OSError) -> None:
    """What `os.walk` does with an error: a folder that was removed meanwhile is none."""
    if not isinstance(error, FileNotFoundError):
        raise error
