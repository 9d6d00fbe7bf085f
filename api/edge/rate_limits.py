"""How often a key may call, or an address where there is no key: `STEMSVC_RATE_LIMIT`.

Redis as the broker counts for all api processes. Otherwise each process counts by itself.
"""

from __future__ import annotations

from flask import Flask, g, request
from flask_limiter import Limiter
from flask_limiter.constants import HeaderNames

from api.edge.auth import OPEN
from stemsvc.errors import BadSetting

# draft-ietf-httpapi-ratelimit-headers, the form with three headers that clients know
HEADERS = {
    HeaderNames.LIMIT: "RateLimit-Limit",
    HeaderNames.REMAINING: "RateLimit-Remaining",
    HeaderNames.RESET: "RateLimit-Reset",
    HeaderNames.RETRY_AFTER: "Retry-After",
}
WAIT: dict[str, str | int] = {
    "socket_connect_timeout": 1,
    "socket_timeout": 1,
}  # seconds that counting may delay a request


def install(app: Flask, rate: str, broker_url: str) -> None:
    """Count each request once its caller is known. Raises `FatalError` `bad_setting` if the rate can't be read."""
    if not rate:
        return
    from limits import parse_many

    try:
        parse_many(rate)
    except ValueError as error:
        raise BadSetting(f"STEMSVC_RATE_LIMIT: {error}; write `600 per minute`") from error
    shared = broker_url.startswith(("redis://", "rediss://"))
    limiter = Limiter(
        _who,
        application_limits=[rate],
        headers_enabled=True,
        header_name_mapping=HEADERS,
        retry_after="delta-seconds",
        strategy="moving-window" if not shared else "fixed-window",
        storage_uri=broker_url if shared else "memory://",
        storage_options=WAIT if shared else {},
        in_memory_fallback_enabled=True,  # jobs are accepted without the broker too
        key_prefix="stemsvc-rate",
    )
    limiter.request_filter(lambda: request.method == "OPTIONS" or request.path.startswith(OPEN))
    limiter.init_app(app)


def _who() -> str:
    key = g.caller.key
    return f"key:{key.id}" if key else f"address:{request.remote_addr}"
