"""Signs S3 requests by the endpoint's clock. An endpoint refuses a request that is signed 15 minutes off, so a machine
whose clock is wrong could store nothing, and the URLs that it signs would end too early or too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import auth

NEAR = timedelta(seconds=60)  # a difference that the way of an answer and a rounded date can make, and does no harm
FAR = timedelta(minutes=5)  # a difference between what was signed with and what is so, which may explain a refusal
REFUSALS = (400, 403)  # a HEAD has no body that says more


class EndpointClock:
    """What an endpoint's clock says. Threads may share it."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The endpoint's time, as far as its last answer tells."""
        return datetime.now(UTC) + self._ahead

    def learn(self, date: str) -> timedelta:
        """Take the `Date` of an answer that has just come; returns by how much it moves the clock."""
        try:
            ahead = parsedate_to_datetime(date) - datetime.now(UTC)
        except (ValueError, TypeError):  # none, no date, or one without a zone
            return timedelta()
        if abs(ahead) < NEAR:
            ahead = timedelta()
        before, self._ahead = self._ahead, ahead
        return abs(ahead - before)

    def judge(self, response: Any = None, **_: Any) -> float | None:
        """Handle botocore's `needs-retry`: learn, and have a request sent again that was signed by a wrong clock."""
        if response is None:
            return None
        meta = response[1].get("ResponseMetadata", {})
        moved = self.learn(meta.get("HTTPHeaders", {}).get("date", ""))
        return 0.0 if moved > FAR and meta.get("HTTPStatusCode") in REFUSALS else None


CLOCK = EndpointClock()  # one for the process, because URLs are signed for an address that no request of ours goes to


class _Headers(auth.S3SigV4Auth):
    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = CLOCK.now().strftime(auth.SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)  # type: ignore[misc]


class _Query(auth.S3SigV4QueryAuth):
    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = CLOCK.now().strftime(auth.SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)  # type: ignore[misc]


def follow(client: Any) -> None:
    """Have an S3 client sign by its endpoint's clock."""
    auth.AUTH_TYPE_MAPS.update({"s3v4": _Headers, "s3v4-query": _Query})
    client.meta.events.register_first("needs-retry.s3", CLOCK.judge)
