"""What both drivers share of httpx: how a request is put, and what its exceptions mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx

from stemsvc_client.errors import NoAnswer
from stemsvc_client.messages import Answer, Request
from stemsvc_client.problems import error_of
from stemsvc_client.version import __version__

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
IMPOSSIBLE = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)


def settings(url: str, key: str | None, timeout: float) -> dict[str, Any]:
    """The arguments of httpx's client for the service. Raises `UsageError` for what no service can have."""
    with translated(url):
        found = httpx.URL(url)
    if found.scheme not in ("http", "https") or not found.host:
        raise error_of("bad_url", f"{url!r} is no http address", "usage")
    if key is not None and not (key.isascii() and key.isprintable()):
        raise error_of("bad_arguments", "a key has visible ASCII characters only", "usage")
    return {"base_url": url, **foreign(timeout), "headers": _headers(key)}


def foreign(timeout: float) -> dict[str, Any]:
    """The arguments of httpx's client for signed URLs, which get no key."""
    return {"timeout": timeout, "headers": _headers(None)}


def _headers(key: str | None) -> dict[str, str]:
    named = {"User-Agent": f"stemsvc-client/{__version__}"}
    return {**named, "Authorization": f"Bearer {key}"} if key else named


def arguments(request: Request) -> dict[str, Any]:
    """What httpx's `build_request` takes of a request, without the song."""
    found: dict[str, Any] = {"method": request.method, "url": request.url, "headers": dict(request.headers)}
    if request.params:
        found["params"] = dict(request.params)
    if request.json is not None:
        found["json"] = request.json
    if request.fields is not None:
        found["data"] = dict(request.fields)
    if request.timeout is not None:
        found["timeout"] = request.timeout
    return found


def answer(response: httpx.Response, body: bytes = b"") -> Answer:
    """The answer without httpx."""
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


@contextlib.contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn httpx's exceptions into ours."""
    try:
        yield
    except IMPOSSIBLE as error:
        raise error_of("bad_url", f"{url} can't be called: {error}", "usage") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        silence = NoAnswer(f"{url} does not answer: {error or type(error).__name__}")
        silence.sent = not isinstance(error, NEVER_SENT)
        raise silence from error
