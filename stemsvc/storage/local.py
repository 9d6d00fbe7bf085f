"""Objects in a local folder. The api serves them by URLs that carry an expiry and an HMAC over it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlencode

from stemsvc.errors import (
    FileTooLarge,
    LengthRequired,
    ObjectMissing,
    StorageDenied,
    StorageFull,
    StorageUnavailable,
    UploadIncomplete,
    UrlExpired,
    UrlInvalid,
    WrongLength,
)
from stemsvc.observe.metrics import timed
from stemsvc.storage.base import FULL, SignedPut, scratch_errors

ROUTE = "/v1/files/"
CHUNK = 1 << 20


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


@dataclass(frozen=True)
class SignedUpload:
    """The query of a URL that takes an object, as a client sent it. `bytes` is -1 for any number up to `max_bytes`."""

    expires: int
    max_bytes: int
    bytes: int
    signature: str


@dataclass(frozen=True)
class SignedQuery:
    """The query of a signed URL, as a client sent it."""

    expires: int
    filename: str
    content_type: str
    signature: str


class LocalStorage:
    """`Storage` in the folder `root`; `public_url` is the api's address in signed URLs, empty for relative ones."""

    def __init__(self, root: Path, key: bytes, public_url: str = "") -> None:
        self._root = root
        self._key = key
        self._public_url = public_url.rstrip("/")

    @timed("put")
    def put(self, key: str, data: BinaryIO, content_type: str) -> int:
        """See `Storage.put`: written beside its place, synced, then renamed into it."""
        return self._write(key, data, None)

    def _write(self, key: str, data: BinaryIO, length: int | None) -> int:
        target = self._path(key)
        with translated():
            handle, draft = _draft_beside(target)
            try:
                with os.fdopen(handle, "wb") as file:
                    shutil.copyfileobj(data, file, CHUNK)
                    size = file.tell()
                    if length not in (None, size):
                        raise UploadIncomplete(f"{size} of {length} bytes came; send the file again")
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(draft, target)
            except BaseException:
                Path(draft).unlink(missing_ok=True)
                raise
        return size

    @timed("fetch")
    def fetch(self, key: str, path: Path) -> None:
        """See `Storage.fetch`."""
        with translated(), self._path(key).open("rb") as source, scratch_errors(), path.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK)

    @timed("delete")
    def delete(self, prefix: str) -> int:
        """See `Storage.delete`; folders left empty go too."""
        keys = self.keys(prefix)
        with translated():
            for key in keys:
                path = self._path(key)
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # not empty: another object lives there
                    for folder in path.relative_to(self._root).parents:
                        if folder != Path():
                            (self._root / folder).rmdir()
        return len(keys)

    @timed("keys")
    def keys(self, prefix: str) -> list[str]:
        """See `Storage.keys`."""
        folder = self._root.joinpath(*prefix.split("/")[:-1])
        files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".part-"))
        keys = (path.relative_to(self._root).as_posix() for path in files)
        return sorted(key for key in keys if key.startswith(prefix))

    def signed_url(self, key: str, seconds: int, filename: str, content_type: str) -> str:
        """See `Storage.signed_url`."""
        expires = int(time.time()) + seconds
        signature = self._sign(key, expires, filename, content_type)
        query = urlencode({"expires": expires, "filename": filename, "type": content_type, "signature": signature})
        return f"{self._public_url}{ROUTE}{quote(key)}?{query}"

    def signed_put(self, key: str, seconds: int, max_bytes: int, bytes: int | None = None) -> SignedPut:
        """See `Storage.signed_put`."""
        expires, exact = int(time.time()) + seconds, -1 if bytes is None else bytes
        signature = self._sign_put(key, expires, max_bytes, exact)
        query = urlencode({"expires": expires, "max": max_bytes, "bytes": exact, "signature": signature})
        return SignedPut(f"{self._public_url}{ROUTE}{quote(key)}?{query}")

    def receive(self, key: str, query: SignedUpload, data: BinaryIO, length: int | None) -> int:
        """Store what a client sends to a URL of `signed_put`; returns its size in bytes.

        Raises `UsageError` `url_invalid`, `url_expired`, `length_required`, `file_too_large`, `wrong_length` or
        `upload_incomplete`; nothing is stored then.
        """
        expected = self._sign_put(key, query.expires, query.max_bytes, query.bytes)
        _check_signature(expected, query.signature, query.expires, "ask for another upload")
        if length is None:
            raise LengthRequired("an upload must declare its length: send Content-Length")
        if length > query.max_bytes:
            raise FileTooLarge(f"the upload has {length} bytes; at most {query.max_bytes} are taken here")
        if query.bytes not in (-1, length):
            raise WrongLength(f"the upload has {length} bytes, but {query.bytes} were announced")
        self.check_room(length)
        return self._write(key, data, length)

    @timed("size")
    def size(self, key: str) -> int | None:
        """See `Storage.size`."""
        with translated(), contextlib.suppress(FileNotFoundError):
            return self._path(key).stat().st_size
        return None

    @timed("copy")
    def copy(self, source: str, target: str) -> None:
        """See `Storage.copy`: a second link to the same bytes, which are never changed in place."""
        with translated():
            handle, draft = _draft_beside(self._path(target))
            os.close(handle)
            os.unlink(draft)
            try:
                os.link(self._path(source), draft)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EMLINK, errno.EXDEV, errno.EOPNOTSUPP):
                    raise
                shutil.copyfile(self._path(source), draft)  # a file system without links
            os.replace(draft, self._path(target))
            Path(draft).unlink(missing_ok=True)  # rename does nothing where both names are the same file already

    def resolve(self, key: str, query: SignedQuery) -> Path:
        """The file behind a signed URL. Raises `UsageError` `url_invalid`, `url_expired` or `object_missing`."""
        expected = self._sign(key, query.expires, query.filename, query.content_type)
        _check_signature(expected, query.signature, query.expires, "read the job again for a fresh one")
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
            with tempfile.TemporaryFile(dir=self._root, prefix=".part-") as file:
                file.write(b"check")

    def _sign(self, key: str, expires: int, filename: str, content_type: str) -> str:
        message = "\n".join(("GET", key, str(expires), filename, content_type))
        return hmac.new(self._key, message.encode(), hashlib.sha256).hexdigest()

    def _sign_put(self, key: str, expires: int, max_bytes: int, exact: int) -> str:
        message = "\n".join(("PUT", key, str(expires), str(max_bytes), str(exact)))
        return hmac.new(self._key, message.encode(), hashlib.sha256).hexdigest()

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts):
            raise ObjectMissing("no such object")
        return self._root.joinpath(*parts)


def _check_signature(expected: str, signature: str, expires: int, remedy: str) -> None:
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
        raise UrlInvalid("the signature does not fit this URL")
    if expires < time.time():
        raise UrlExpired(f"this URL has expired; {remedy}")


def _draft_beside(target: Path) -> tuple[int, str]:
    """An open temporary file in the target's folder; `delete` may remove the empty folder while we make the file."""
    for _ in range(10):
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return tempfile.mkstemp(dir=target.parent, prefix=".part-")
    raise OSError(errno.EBUSY, "the folder is removed again and again")
