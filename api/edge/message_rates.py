"""How many messages a key may send in conversations, or an address where there is no key.

Redis as the broker counts for all api processes. Otherwise, and while it is silent, each process counts by itself.
"""

from __future__ import annotations

import time

from flask import Flask, current_app
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from api.edge.rate_limits import WAIT, asker
from stemsvc.errors import BadSetting, RateLimited


class MessageRates:
    """Counts messages. Raises `FatalError` `bad_setting` for a rate that is none; an empty one is no limit."""

    def __init__(self, rate: str, broker_url: str) -> None:
        try:
            self._rates: list[RateLimitItem] = parse_many(rate) if rate else []
        except ValueError as error:
            raise BadSetting(f"STEMSVC_MESSAGES_RATE_LIMIT: {error}; write `100 per minute`") from error
        self._limiters = [FixedWindowRateLimiter(MemoryStorage())]
        if self._rates and broker_url.startswith(("redis://", "rediss://")):
            shared = storage_from_string(broker_url, wrap_exceptions=True, **WAIT)
            self._limiters.insert(0, FixedWindowRateLimiter(shared))

    def count(self, who: str) -> None:
        """Count a message. Raises `TransientError` `rate_limited` where there are too many."""
        for rate in self._rates:
            for limiter in self._limiters:
                try:
                    if not limiter.hit(rate, "messages", who):
                        left = limiter.get_window_stats(rate, "messages", who).reset_time - time.time()
                        raise RateLimited(f"the limit is {rate} of messages", retry_after=max(1.0, left))
                except StorageError:
                    continue
                break


def install(app: Flask, rate: str, broker_url: str) -> None:
    """Count the messages of this app's clients."""
    app.extensions["message_rates"] = MessageRates(rate, broker_url)


def count() -> None:
    """Count this request as a message. Raises `TransientError` `rate_limited`."""
    rates: MessageRates = current_app.extensions["message_rates"]
    rates.count(asker())
