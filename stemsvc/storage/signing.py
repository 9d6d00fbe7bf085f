"""URLs that the api serves: objects of the local storage, and archives of any storage's.

Each carries an expiry and an HMAC over all that it allows.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from stemsvc.errors import FileTooLarge, LengthRequired, UrlExpired, UrlInvalid, WrongLength

ROUTE = "/v1/files/"
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
    """Signs URLs with a key, and checks them. `public_url` is the api's address in them, empty for relative ones."""

    def __init__(self, key: bytes, public_url: str = "") -> None:
        self._key = key
        self._public_url = public_url.rstrip("/")

    def get_url(self, key: str, seconds: int, filename: str, content_type: str, sha256: str = "") -> str:
        """See `Storage.signed_url`."""
        expires = int(time.time()) + seconds
        signature = self._sign_get(key, expires, filename, content_type, sha256)
        tag = {"sha256": sha256} if sha256 else {}
        return self._url(key, expires=expires, filename=filename, type=content_type, signature=signature, **tag)

    def put_url(self, key: str, seconds: int, max_bytes: int, bytes: int | None) -> str:
        """The URL of `Storage.signed_put`."""
        expires, exact = int(time.time()) + seconds, -1 if bytes is None else bytes
        signature = self._sign("PUT", key, expires, max_bytes, exact)
        return self._url(key, expires=expires, max=max_bytes, bytes=exact, signature=signature)

    def archive_url(self, job_id: str, seconds: int) -> str:
        """A URL that lets anyone GET a zip of the job's files, or with `&files=` of some of them."""
        expires = int(time.time()) + seconds
        signature = self._sign("ARCHIVE", job_id, expires)
        return self._url(f"{ARCHIVES}{job_id}", expires=expires, signature=signature)

    def check_archive(self, job_id: str, expires: int, signature: str) -> None:
        """Raise `UsageError` `url_invalid` or `url_expired` unless the URL allows to get the job's archive."""
        _check(self._sign("ARCHIVE", job_id, expires), signature, expires, "read the job again for a fresh one")

    def check_get(self, key: str, query: SignedQuery) -> None:
        """Raise `UsageError` `url_invalid` or `url_expired` unless the URL allows to get the object."""
        expected = self._sign_get(key, query.expires, query.filename, query.content_type, query.sha256)
        _check(expected, query.signature, query.expires, "read the job again for a fresh one")

    def check_put(self, key: str, query: SignedUpload, length: int | None) -> int:
        """The length of what a client is about to send, if the URL allows it.

        Raises `UsageError` `url_invalid`, `url_expired`, `length_required`, `file_too_large` or `wrong_length`.
        """
        expected = self._sign("PUT", key, query.expires, query.max_bytes, query.bytes)
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

    def _sign_get(self, key: str, expires: int, filename: str, content_type: str, sha256: str) -> str:
        """URLs without the hash are signed as in release 0.2, whose processes may have made them."""
        verb = ("GET with", sha256) if sha256 else ("GET",)  # no URL without the hash may pass for one with it
        return self._sign(*verb, key, expires, filename, content_type)

    def _sign(self, *parts: str | int) -> str:
        message = "\n".join(map(str, parts))
        return hmac.new(self._key, message.encode(), hashlib.sha256).hexdigest()


def _check(expected: str, signature: str, expires: int, remedy: str) -> None:
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
        raise UrlInvalid("the signature does not fit this URL")
    if expires < time.time():
        raise UrlExpired(f"this URL has expired; {remedy}")
