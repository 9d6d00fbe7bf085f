"""What `stemsvc doctor` looks at in a bucket: what our credentials may do, and whether pages may use it."""

from __future__ import annotations

import contextlib
import io
import secrets

import httpx

from stemsvc.cli.storage import page_origins
from stemsvc.errors import CorsMissing, StemsvcError, StorageUnavailable
from stemsvc.settings import Settings
from stemsvc.storage import open_storage

ANY_PAGE = "https://page.invalid"  # what stands for every page where all may call


def check_rights(settings: Settings) -> str:
    """List objects and unfinished uploads under our prefix. Raises the storage's errors."""
    storage = open_storage(settings, attempts=2)
    for folder in ("jobs/", "uploads/"):
        storage.keys(f"{folder}{secrets.token_hex(8)}/")  # of a name that nothing has: a bucket may be large
    storage.clear_drafts(("doctor/",))
    return "objects and unfinished uploads can be listed"


def check_pages(settings: Settings) -> str:
    """Ask the bucket, as a browser does, whether pages may send files to it and read from it.

    Raises `FatalError` `cors_missing`, `TransientError` `storage_unavailable` and the storage's errors.
    """
    origins = page_origins(settings)
    if not origins:
        return "not asked: neither STEMSVC_PUBLIC_URL nor STEMSVC_CORS_ORIGINS names a page"
    storage, key = open_storage(settings, attempts=2), f"doctor/{secrets.token_hex(8)}"
    sent = storage.signed_put(key, 60, 1)
    opened = storage.signed_url(key, 60, "object", "application/octet-stream")
    storage.put(key, io.BytesIO(b"x"), "application/octet-stream")
    try:
        for origin in (ANY_PAGE if each == "*" else each for each in origins):
            _ask(sent.url, origin, "PUT", ",".join(sorted(name.lower() for name in sent.headers)))
            _ask(opened, origin, "GET", "range")
    finally:
        with contextlib.suppress(StemsvcError):
            storage.delete(key)
    return f"pages of {', '.join(origins)} may send and read"


def _ask(url: str, origin: str, method: str, headers: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    try:
        answer = httpx.options(url, headers=asked, timeout=15)
    except httpx.HTTPError as error:
        raise StorageUnavailable(f"the bucket can't be asked: {type(error).__name__}") from error
    allowed = answer.headers.get("access-control-allow-origin", "")
    methods = answer.headers.get("access-control-allow-methods", "").upper()
    if not answer.is_success or allowed not in ("*", origin) or (method not in methods and methods != "*"):
        raise CorsMissing(f"a page of {origin} may not {method} there: the bucket answers {answer.status_code}")
