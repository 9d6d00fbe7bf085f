"""Fetches a file from its URL as it is, and checks each redirect."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import ssl
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from stemsvc.control.guard import Guard
from stemsvc.control.guarded_client import MOST_REDIRECTS, Deadline, guarded_client
from stemsvc.errors import (
    BadUrl,
    EmptyFile,
    FileTooLarge,
    SourceDenied,
    SourceGeoBlocked,
    SourceIsText,
    SourceRateLimited,
    SourceRefused,
    SourceRemoved,
    SourceUnavailable,
    StemsvcError,
    TooManyRedirects,
    UsageError,
)
from stemsvc.jobs.filenames import clean_filename
from workers.sources.disposition import HEADER, filename_of
from workers.sources.first_bytes import ENOUGH, Looks, looks_like
from workers.sources.protocol import Fetched, Order

SILENCE_SECONDS = 20.0
OPEN_SECONDS = 30.0  # for connections, redirects and headers together
CHUNK = 64 * 1024
PAGES = ("text/html", "application/xhtml+xml")
PLAYLISTS = ("mpegurl", "dash+xml", "x-scpls", "xspf+xml")
SOUND = ("audio/", "video/")
LISTINGS = (Looks.PAGE, Looks.PLAYLIST)
BY_STATUS: dict[int, tuple[type[UsageError], str]] = {
    401: (SourceDenied, "the address needs a login"),
    402: (SourceDenied, "the address needs a payment"),
    403: (SourceDenied, "the address refuses us"),
    404: (SourceRemoved, "there is nothing at this address"),
    410: (SourceRemoved, "there is nothing at this address any more"),
    451: (SourceGeoBlocked, "the address is blocked here for legal reasons"),
}
OnProgress = Callable[[int, int | None], None]


def fetch_direct(order: Order, guard: Guard, on_progress: OnProgress) -> Fetched | None:
    """Fetch the file at a URL; None if a page or a playlist is there.

    Its first bytes tell what it is: hosts send audio as `text/plain`, and pages as anything. Pages and playlists are
    text, so bytes that are no text are fetched whatever the host calls them.

    Raises `UsageError` `bad_url`, `url_refused`, `host_not_found`, `too_many_redirects`, `file_too_large`,
    `source_denied`, `source_removed`, `source_geo_blocked`, `source_refused`, `source_is_text`, `empty_file`;
    `TransientError` `source_unavailable`, `source_rate_limited`, `dns_unavailable`.
    """
    deadline = Deadline(OPEN_SECONDS)
    with (
        _translated(),
        guarded_client(guard, SILENCE_SECONDS, order.proxy, deadline) as client,
        _opened(client, order, guard) as response,
    ):
        _check_status(response)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        deadline.allow(math.inf)  # who waits for this process watches the pace of the body
        total = _announced(response, order.max_bytes)
        parts = response.iter_bytes(CHUNK)
        first = _first(parts)
        if first and not _may_be_audio(kind, looks_like(first)):
            return None
        path = Path(order.folder) / "source"
        _save(itertools.chain([first], parts), total, path, order.max_bytes, on_progress)
        return Fetched(str(path), _name(response))


@contextlib.contextmanager
def _opened(client: httpx.Client, order: Order, guard: Guard) -> Iterator[httpx.Response]:
    url = order.url
    headers = {"Accept-Encoding": "identity", "User-Agent": "stemsvc", "Accept": "audio/*, video/*;q=0.9, */*;q=0.5"}
    for _ in range(MOST_REDIRECTS + 1):
        guard.check_url(url)
        with client.stream("GET", url, headers=headers) as response:
            if not response.is_redirect:
                yield response
                return
            url = urljoin(url, response.headers["location"])
    raise TooManyRedirects(f"more than {MOST_REDIRECTS} redirects")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StemsvcError:
        raise
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise BadUrl("this address is not a URL") from error
    except httpx.ConnectError as error:
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
            raise SourceRefused("the host's certificate is not valid") from error
        raise SourceUnavailable("the host does not answer") from error
    except (TimeoutError, httpx.TimeoutException) as error:
        raise SourceUnavailable(f"the host is too slow ({type(error).__name__})") from error
    except httpx.HTTPError as error:
        raise SourceUnavailable(f"the connection broke ({type(error).__name__})") from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status == 200:
        return
    if status == 429:
        given = response.headers.get("retry-after", "")
        wait = float(given) if re.fullmatch(r"\d{1,5}", given) else None
        raise SourceRateLimited("the host asks us to come back later", retry_after=wait)
    if status >= 500 or status == 408:
        raise SourceUnavailable(f"the host answers {status}")
    error, detail = BY_STATUS.get(status, (SourceRefused, f"the host answers {status}"))
    raise error(detail)


def _may_be_audio(kind: str, looks: Looks) -> bool:
    """Whether to take the file; False for a page or a playlist. Raises `UsageError` `source_is_text`.

    `kind` is its host's word for it. It counts only where the bytes are text.
    """
    if looks is Looks.BINARY:
        return True
    sound = kind.startswith(SOUND)
    if kind in PAGES or any(name in kind for name in PLAYLISTS) or (looks in LISTINGS and not sound):
        return False
    if looks is Looks.TEXT and (sound or kind == "application/octet-stream"):
        return True  # the first bytes of a short file may look like it; the decoder judges
    what = "a web page" if looks is Looks.PAGE else "text"
    raise SourceIsText(f"the address has {what} ({kind or 'without a type'}), not audio")


def _first(parts: Iterator[bytes]) -> bytes:
    """What comes first: enough to judge it by, less only where the body is shorter."""
    first = b""
    while len(first) < ENOUGH and (part := next(parts, b"")):
        first += part
    return first


def _announced(response: httpx.Response, max_bytes: int) -> int | None:
    """How many bytes the host says that it sends. Raises `UsageError` `file_too_large`."""
    length = response.headers.get("content-length", "")
    total = int(length) if length.isdigit() and len(length) < 16 else None
    if total is not None and total > max_bytes:
        raise FileTooLarge(f"the file has {total} bytes; at most {max_bytes} are accepted")
    return total


def _save(parts: Iterable[bytes], total: int | None, path: Path, max_bytes: int, on_progress: OnProgress) -> None:
    done = 0
    with path.open("wb") as file:
        for part in parts:
            done += len(part)
            if done > max_bytes:
                raise FileTooLarge(f"the file has more than {max_bytes} bytes")
            file.write(part)
            on_progress(done, total)
    if done == 0:
        raise EmptyFile("the file at this address is empty")


def _name(response: httpx.Response) -> str:
    given = filename_of(response.headers.get(HEADER, ""))
    return clean_filename(given or unquote(urlsplit(str(response.url)).path))
