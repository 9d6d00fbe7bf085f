"""How often a key may call, or an address where there is no key: `STEMSVC_RATE_LIMIT`.

Redis as the broker counts for all api processes. Otherwise each process counts by itself.
"""

from __future__ import annotations

import math
import time

from flask import Flask, Response, g, request
from flask_limiter import Limiter
from flask_limiter.constants import HeaderNames

from api.edge.addresses import counted_as
from api.edge.auth import is_open
from stemsvc.errors import BadSetting

RESET = "RateLimit-Reset"
OF_EACH = "RateLimit-Retry-After"  # Flask-Limiter gives it with each answer; ours has it where a client must wait
# draft-ietf-httpapi-ratelimit-headers, the form with three headers that clients know
HEADERS = {
    HeaderNames.LIMIT: "RateLimit-Limit",
    HeaderNames.REMAINING: "RateLimit-Remaining",
    HeaderNames.RESET: RESET,
    HeaderNames.RETRY_AFTER: OF_EACH,
}
SCALED_BY = "/v1/pools"  # what autoscalers ask every few seconds: a limit would let the pools stand still
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
        asker,
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
    limiter.request_filter(_is_free)

    @app.after_request  # before the limiter's own, and so called after it
    def _in_seconds(response: Response) -> Response:
        """The draft counts seconds from now; Flask-Limiter tells the moment. Only who was refused must wait."""
        response.headers.pop(OF_EACH, None)
        limit = limiter.current_limit
        if limit is not None and RESET in response.headers:
            seconds = str(max(1, math.ceil(limit.window.reset_time - time.time())))
            response.headers[RESET] = seconds
            if limit.breached:
                response.headers["Retry-After"] = seconds
        return response

    limiter.init_app(app)


def _is_free() -> bool:
    """Whether the request does not count: a preflight, a probe, a scaler, a signed URL."""
    path = request.path
    return request.method == "OPTIONS" or is_open(path) or path == SCALED_BY or path.startswith(f"{SCALED_BY}/")


def asker() -> str:
    """Who calls, as limits count: the key, or the address where there is none."""
    key = g.caller.key
    return f"key:{key.id}" if key else f"address:{counted_as(request.remote_addr or '')}"
