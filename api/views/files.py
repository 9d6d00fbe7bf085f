"""`/v1/files`: objects of the local storage, for anyone who has a signed URL. S3 serves its own objects."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import BinaryIO, cast

from flask import Blueprint, Response, request, send_file
from werkzeug.http import parse_date

from api.services import services
from stemsvc.errors import BadRequest, ObjectMissing, UrlInvalid
from stemsvc.storage.local import LocalStorage
from stemsvc.storage.signing import ROUTE, SignedQuery, SignedUpload

DATES = ("If-Modified-Since", "If-Unmodified-Since", "If-Range")

blueprint = Blueprint("files", __name__)


@blueprint.get(f"{ROUTE}<path:key>")
def download(key: str) -> Response:
    """Send the object; ranges and conditional requests work. Its ETag is its sha256."""
    storage, query = _storage(), request.args
    signed = SignedQuery(
        number("expires"),
        query.get("filename", ""),
        query.get("type", ""),
        query.get("signature", ""),
        query.get("sha256", ""),
    )
    path = storage.resolve(key, signed)
    check_dates()
    return send_file(
        path,
        mimetype=signed.content_type,
        as_attachment=True,
        download_name=signed.filename,
        conditional=True,
        etag=signed.sha256 or _sha256(path, path.stat().st_mtime_ns),
    )


@blueprint.put(f"{ROUTE}<path:key>")
def receive(key: str) -> Response:
    """Store the bytes of a presigned upload: all of them, or none. An upload that was deleted takes none."""
    storage = _storage()
    signature = request.args.get("signature", "")
    signed = SignedUpload(number("expires"), number("max"), number("bytes"), signature)
    # `admit` looks at the length; werkzeug counts a stream that ends at its limit as one that goes beyond
    request.max_content_length = signed.max_bytes + 1
    length = storage.admit(key, signed, request.content_length)
    body = cast(BinaryIO, request.stream)
    services().uploads.receive(key, length, lambda: storage.receive(key, signed, body, length))
    return Response(status=200)


@functools.lru_cache(maxsize=1024)
def _sha256(path: Path, changed: int) -> str:
    """The hash of a file whose URL lacks it: a manifest's, or one that release 0.2 signed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_dates() -> None:
    """Refuse a date that werkzeug can't read: it ignores most of them, but not a year of twenty digits."""
    try:
        for name in DATES:
            parse_date(request.headers.get(name))
    except OverflowError as error:
        raise BadRequest(f"{name} has a date that can't be read") from error


def _storage() -> LocalStorage:
    storage = services().storage
    if not isinstance(storage, LocalStorage):
        raise ObjectMissing("this service keeps its files elsewhere")
    return storage


def number(name: str) -> int:
    """A number of the signed query. Raises `UsageError` `url_invalid`."""
    text = request.args.get(name, "")
    try:
        return int(text) if len(text) < 20 else int("")
    except ValueError:
        raise UrlInvalid("this URL is not signed") from None
