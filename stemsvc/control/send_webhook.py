"""Signs one webhook and posts it, by the Standard Webhooks convention, to a public address only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks import Webhook

from stemsvc.control.guard import Guard
from stemsvc.control.guarded_client import Deadline, guarded_client

TRY_SECONDS = 15.0  # for a whole try, as the convention advises for an answer


@dataclass(frozen=True)
class Poster:
    """Posts webhooks to addresses that the guard allows; through the `proxy`, where there is one.

    A whole try may take `seconds`.
    """

    guard: Guard
    proxy: str = ""
    seconds: float = TRY_SECONDS

    def post(self, url: str, webhook_id: str, secrets: Sequence[str], body: str) -> int:
        """Send the body, signed with each secret; returns the answer's status, and reads nothing else of it.

        Raises `UsageError` `bad_url` or `url_refused`, `TransientError` for a name that can't be looked up now, and
        httpx's errors.
        """
        self.guard.check_url(url)
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "user-agent": "stemsvc-webhooks",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(webhook_id, now, body) for secret in secrets),
        }
        with (
            guarded_client(self.guard, self.seconds, self.proxy, Deadline(self.seconds)) as client,
            client.stream("POST", url, content=body.encode(), headers=headers) as response,
        ):
            return response.status_code
