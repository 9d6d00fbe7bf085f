"""Keeps the pages of other sites out while no key is asked for, and from using a page's session.

A browser sends requests for any page that its user opens, also to this machine. Two kinds of pages would get what they
want. One has a name of its own lead to the loopback after it was loaded, so that the browser takes the api for its own
server (DNS rebinding): the `Host` of its requests is that name. The other sends a form to the api's address: browsers
say in `Sec-Fetch-Site` and `Origin` where a request comes from. Programs that are no browsers send neither.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers

from stemsvc.errors import CrossSite, HostRefused

SAFE = (
    "GET",
    "HEAD",
    "OPTIONS",
)  # browsers let no page read their answers unless `STEMSVC_CORS_ORIGINS` names its site
OWN = ("same-origin", "none")  # of Sec-Fetch-Site; `none`: the user typed the address or chose a bookmark
PORTS = {"http": 80, "https": 443}
Origin = tuple[str, str, int | None]  # scheme, host, port


class Sites:
    """Whose names lead to the api, and whose pages may change something. All are separated by commas."""

    def __init__(self, api_host: str, public_url: str, hosts: str, origins: str) -> None:
        public = urlsplit(public_url)
        self._public = _parsed(public_url)
        self._hosts = {"localhost", api_host.lower(), (public.hostname or "").lower(), *_each(hosts)} - {""}
        self._origins = {found for each in (public_url, *_each(origins)) if (found := _parsed(each))}
        self._all = "*" in _each(origins)

    def check(self, method: str, host: str, headers: Headers) -> None:
        """Raise `UsageError` `host_refused`, or `cross_site` for a request that may change something."""
        self.check_host(host)
        if method not in SAFE and self._foreign(host, headers.get("Origin"), headers.get("Sec-Fetch-Site")):
            raise CrossSite("this page's site is not the service's own")

    def check_own(self, method: str, host: str, headers: Headers, *, told: bool) -> None:
        """Raise `UsageError` `cross_site` for a request that may change something and comes from no page of ours.

        Browsers say of every such request where it comes from. With `told`, one that does not say it is refused too: it
        came with a cookie, which only browsers have. The sites of the settings may call with a key alone.
        """
        if method not in SAFE and not self._own(host, headers.get("Origin"), headers.get("Sec-Fetch-Site"), told):
            raise CrossSite("only the service's own pages may call with its cookie")

    def check_host(self, host: str) -> None:
        """Raise `UsageError` `host_refused` unless a request's `Host` is this machine or a name from the settings."""
        name = _named(host)
        if name not in self._hosts and not _is_loopback(name):
            raise HostRefused(f"the host {name[:100]!r} is not one of this service")

    def _own(self, host: str, origin: str | None, site: str | None, told: bool) -> bool:
        if site is not None:
            return site.lower() in OWN
        if origin is None:
            return not told
        return _same(origin, host) or (self._public is not None and _parsed(origin) == self._public)

    def _foreign(self, host: str, origin: str | None, site: str | None) -> bool:
        if self._all or (origin is not None and _parsed(origin) in self._origins):
            return False
        if site is not None:
            return site.lower() not in OWN
        return origin is not None and not _same(origin, host)


def _each(text: str) -> list[str]:
    return [each.strip().rstrip("/").lower() for each in text.split(",") if each.strip()]


def _named(host: str) -> str:
    """The host's name or address without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _parsed(origin: str) -> Origin | None:
    """An origin; None for `null` and for what is none."""
    try:
        parts = urlsplit(origin)
        name, port = (parts.hostname or "").rstrip("."), parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, name, port) if name else None


def _same(origin: str, host: str) -> bool:
    """Whether an origin is the host's. A proxy in front may speak https for it, so the scheme may differ."""
    found = _parsed(origin)
    return found is not None and found == _parsed(f"{found[0]}://{host}")
