"""What browsers let the page do: its own scripts, its own calls, and the storage where the stems are."""

from __future__ import annotations

from urllib.parse import urlsplit

from stemsvc.control.services import Services
from stemsvc.errors import StemsvcError

# Scripts and workers have the policy too: what a service worker may fetch is said by its own file's answer.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{storage} data: blob:; "
    "connect-src 'self'{storage}; media-src 'self'{storage} blob:; worker-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex",
}


class PagePolicy:
    """Makes the headers of pages. The storage's address is found when it is first needed, for S3 by its credentials."""

    def __init__(self, parts: Services) -> None:
        self._parts = parts
        self._policy: str | None = None

    def headers(self) -> dict[str, str]:
        """The headers of a page and of its files."""
        return {**HEADERS, "Content-Security-Policy": self._policy or self._made()}

    def _made(self) -> str:
        try:
            found = {_origin(self._parts.storage.signed_url("page", 1, "page", "text/plain"))}
        except StemsvcError:  # no credentials yet: the next page tries again
            return POLICY.format(storage="")
        origins = sorted({*found, _origin(self._parts.settings.public_url)} - {""})
        self._policy = POLICY.format(storage="".join(f" {each}" for each in origins))
        return self._policy


def _origin(url: str) -> str:
    """The URL's origin as a policy has it; empty for a path."""
    parts = urlsplit(url)
    safe = parts.netloc and not set(parts.netloc) & set(" ;,'\"")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if safe else ""
