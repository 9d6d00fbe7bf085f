"""URLs that the api serves: objects of the local storage, and archives of any storage's.

Each carries an expiry and an HMAC over all that it allows.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from stemsvc.errors import FileTooLarge, LengthRequired, UrlExpired, UrlInvalid, WrongLength

ROUTE = "/v1/files/"
_TOKEN_BYTES = 16 + 5 + 24
ARCHIVES = "archives/"  # below the route; no object's key begins so


@dataclass(frozen=True)
class SignedUpload:
    """The query of a URL that takes an object, as a client sent it. `bytes` is -1 for any number up to `max_bytes`."""

    expires: int
    max_bytes: int
    bytes: int
    signature: str


@dataclass(frozen=True)
class SignedQuery:
    """The query of a signed URL, as a client sent it. `sha256` is that of the object; empty where the URL lacks it."""

    expires: int
    filename: str
    content_type: str
    signature: str
    sha256: str = ""


class Signer:
    """Signs URLs with the first of `keys`, and checks them with each.

    `public_url` is the api's address in them, empty for relative ones.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]], public_url: str = "") -> None:
        self._keys = keys
        self._public_url = public_url.rstrip("/")

    def get_url(self, key: str, seconds: int, filename: str, content_type: str, sha256: str = "") -> str:
        """See `Storage.signed_url`."""
        expires = int(time.time()) + seconds
        signature = self._of_get(key, expires, filename, content_type, sha256)[0]
        tag = {"sha256": sha256} if sha256 else {}
        return self._url(key, expires=expires, filename=filename, type=content_type, signature=signature, **tag)

    def put_url(self, key: str, seconds: int, max_bytes: int, bytes: int | None) -> str:
        """The URL of `Storage.signed_put`."""
        expires, exact = int(time.time()) + seconds, -1 if bytes is None else bytes
        signature = self._signatures("PUT", key, expires, max_bytes, exact)[0]
        return self._url(key, expires=expires, max=max_bytes, bytes=exact, signature=signature)

    def archive_url(self, job_id: str, seconds: int) -> str:
        """A URL that lets anyone GET a zip of the job's files, or with `&files=` of some of them."""
        expires = int(time.time()) + seconds
        signature = self._signatures("ARCHIVE", job_id, expires)[0]
        return self._url(f"{ARCHIVES}{job_id}", expires=expires, signature=signature)

    def check_archive(self, job_id: str, expires: int, signature: str) -> None:
        """Raise `UsageError` `url_invalid` or `url_expired` unless the URL allows to get the job's archive."""
        expected = self._signatures("ARCHIVE", job_id, expires)
        _check(expected, signature, expires, "read the job again for a fresh one")

    def share(self, job_id: str, seconds: int) -> tuple[str, int]:
        """A token that lets anyone see the job, and when it expires, in seconds since the epoch."""
        expires = int(time.time()) + seconds
        return urlsafe_b64encode(self._shared(bytes.fromhex(job_id) + expires.to_bytes(5))[0]).decode(), expires

    def check_share(self, token: str) -> tuple[str, int]:
        """The id of a shared job, and when the token expires. Raises `UsageError` `url_invalid` or `url_expired`."""
        given = _decoded(token)
        if not any(hmac.compare_digest(each, given) for each in self._shared(given[:21])):
            raise UrlInvalid("this link was not made here")
        expires = int.from_bytes(given[16:21])
        if expires <= time.time():
            raise UrlExpired("this link has expired; ask who sent it for another one")
        return given[:16].hex(), expires

    def check_get(self, key: str, query: SignedQuery) -> None:
        """Raise `UsageError` `url_invalid` or `url_expired` unless the URL allows to get the object."""
        expected = self._of_get(key, query.expires, query.filename, query.content_type, query.sha256)
        _check(expected, query.signature, query.expires, "read the job again for a fresh one")

    def check_put(self, key: str, query: SignedUpload, length: int | None) -> int:
        """The length of what a client is about to send, if the URL allows it.

        Raises `UsageError` `url_invalid`, `url_expired`, `length_required`, `file_too_large` or `wrong_length`.
        """
        expected = self._signatures("PUT", key, query.expires, query.max_bytes, query.bytes)
        _check(expected, query.signature, query.expires, "ask for another upload")
        if length is None:
            raise LengthRequired("an upload must declare its length: send Content-Length")
        if length > query.max_bytes:
            raise FileTooLarge(f"the upload has {length} bytes; at most {query.max_bytes} are taken here")
        if query.bytes not in (-1, length):
            raise WrongLength(f"the upload has {length} bytes, but {query.bytes} were announced")
        return length

    def _url(self, key: str, **query: str | int) -> str:
        return f"{self._public_url}{ROUTE}{quote(key)}?{urlencode(query)}"

    def _of_get(self, key: str, expires: int, filename: str, content_type: str, sha256: str) -> list[str]:
        """URLs without the hash are signed as in release 0.2, whose processes may have made them."""
        verb = ("GET with", sha256) if sha256 else ("GET",)  # no URL without the hash may pass for one with it
        return self._signatures(*verb, key, expires, filename, content_type)

    def _shared(self, facts: bytes) -> list[bytes]:
        """A token's bytes by each key: a job's id, an expiry, and 24 bytes of an HMAC over both; a new one is first."""
        signed = b"SHARE\n" + facts
        return [facts + hmac.new(key, signed, hashlib.sha256).digest()[:24] for key in self._keys()]

    def _signatures(self, *parts: str | int) -> list[str]:
        """The signature by each key; a new URL gets the first."""
        message = "\n".join(map(str, parts)).encode()
        return [hmac.new(key, message, hashlib.sha256).hexdigest() for key in self._keys()]


def _decoded(token: str) -> bytes:
    """A token's bytes; none for a text that no token has, such as another writing of the same bytes."""
    try:
        given = urlsafe_b64decode(token.encode("ascii"))
    except ValueError:
        return b""
    return given if len(given) == _TOKEN_BYTES and urlsafe_b64encode(given).decode() == token else b""


def _check(expected: Sequence[str], signature: str, expires: int, remedy: str) -> None:
    given = signature.encode(errors="replace")
    if not any(hmac.compare_digest(each.encode(), given) for each in expected):
        raise UrlInvalid("the signature does not fit this URL")
    if expires < time.time():
        raise UrlExpired(f"this URL has expired; {remedy}")
