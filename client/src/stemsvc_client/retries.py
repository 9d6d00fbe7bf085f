"""The one place that says when a request is sent again, and how much later."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from stemsvc_client.errors import NoAnswer, StemsvcError, TransientError
from stemsvc_client.messages import Answer, Request
from stemsvc_client.problems import failure
from stemsvc_client.steps import Flow, Pause, Send


@dataclass(frozen=True)
class Retry:
    """How patient a client is. Times are in seconds.

    A call is tried again until `patience` is over. Pauses double from `base` to `cap`, unless the service names a
    longer one in `Retry-After`. One that is longer than the patience left ends the call at once. 0: one try only.
    """

    patience: float = 120.0
    base: float = 0.5
    cap: float = 20.0


class Patience:
    """What is left of a client's patience in one call."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self.reset()

    def reset(self) -> None:
        """Start anew: something came."""
        self.tries = 0
        self._until = time.monotonic() + self._retry.patience

    def pause(self, error: StemsvcError, request: Request) -> float:
        """Seconds until the next try. Raises `error` where another try is not allowed or can't help."""
        self.tries += 1
        error.tries = self.tries
        if not _may_help(error, request):
            raise error
        longest = min(self._retry.cap, self._retry.base * 2 ** min(self.tries - 1, 30))
        seconds: float = max(random.uniform(0.5, 1.0) * longest, error.retry_after or 0.0)
        if time.monotonic() + seconds > self._until:
            raise error
        return seconds


def _may_help(error: StemsvcError, request: Request) -> bool:
    if not isinstance(error, TransientError):
        return False
    if isinstance(error, NoAnswer):
        return request.repeatable or not error.sent
    if error.status == 429:  # nothing was done; a service that names no time means that time alone does not help
        return error.retry_after is not None or error.code == "http_429"
    return request.repeatable


def sent(request: Request, retry: Retry) -> Flow[Answer]:
    """The answer to a request, which is sent again where that is safe and may help. Raises `StemsvcError`."""
    patience = Patience(retry)
    while True:
        try:
            answer: Answer = yield Send(request)
            error = failure(answer)
        except NoAnswer as silence:
            error = silence
        if error is None:
            return answer
        yield Pause(patience.pause(error, request))
