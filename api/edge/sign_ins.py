"""How often a client may try to sign in: keys can't be guessed, but each try asks the job store.

Redis as the broker counts for all api processes. Otherwise each process counts by itself.
"""

from __future__ import annotations

import ipaddress
import time

from flask import Flask, current_app, request
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter, RateLimiter

from stemsvc.errors import RateLimited

MOST = RateLimitItemPerMinute(10)  # tries that fail
WAIT: dict[str, str | int] = {"socket_connect_timeout": 1, "socket_timeout": 1}  # seconds that counting may delay a try


class SignIns:
    """Counts the tries of each address that fail. `proxies` are networks where an address stands for many clients."""

    def __init__(self, broker_url: str, proxies: str) -> None:
        self._proxies = [ipaddress.ip_network(each.strip()) for each in proxies.split(",") if each.strip()]
        self._alone = FixedWindowRateLimiter(MemoryStorage())
        shared = broker_url.startswith(("redis://", "rediss://"))
        self._shared = (
            FixedWindowRateLimiter(storage_from_string(broker_url, wrap_exceptions=True, **WAIT)) if shared else None
        )

    def check(self, peer: str, forwarded: str) -> None:
        """Raise `TransientError` `rate_limited` where too many tries of this client have failed."""
        who = self._client(peer, forwarded)
        for limiter in self._limiters():
            try:
                if not limiter.test(MOST, "sign-in", who):
                    left = limiter.get_window_stats(MOST, "sign-in", who).reset_time - time.time()
                    raise RateLimited("too many tries to sign in have failed", retry_after=max(1.0, left))
            except StorageError:
                continue
            return

    def failed(self, peer: str, forwarded: str) -> None:
        """Count a try that failed."""
        who = self._client(peer, forwarded)
        for limiter in self._limiters():
            try:
                limiter.hit(MOST, "sign-in", who)
            except StorageError:
                continue
            return

    def _limiters(self) -> list[RateLimiter]:
        return [self._shared, self._alone] if self._shared else [self._alone]

    def _client(self, peer: str, forwarded: str) -> str:
        """The client's address: what a proxy says of it, where one called. Who calls directly is who it is."""
        if not self._is_proxy(peer):
            return peer
        said = [each.strip() for each in forwarded.split(",") if each.strip()]
        return next((each[:64] for each in reversed(said) if not self._is_proxy(each)), peer)

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._proxies)


def install(app: Flask, broker_url: str, proxies: str) -> None:
    """Count the tries of this app's clients."""
    app.extensions["sign_ins"] = SignIns(broker_url, proxies)


def check() -> None:
    """Raise `TransientError` `rate_limited` where this request's client has failed too often."""
    _sign_ins().check(*_asker())


def failed() -> None:
    """Count this request as a try that failed."""
    _sign_ins().failed(*_asker())


def _sign_ins() -> SignIns:
    found: SignIns = current_app.extensions["sign_ins"]
    return found


def _asker() -> tuple[str, str]:
    return request.remote_addr or "", request.headers.get("X-Forwarded-For", "")
