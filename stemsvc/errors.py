"""The three kinds of failure, each with a stable `code` that clients and operators may rely on.

Vendor exceptions are translated into these by the adapter that called the vendor, never higher.
"""

from __future__ import annotations


class StemsvcError(Exception):
    """Base of all our errors: a stable machine-readable `code` and a `detail` for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type[StemsvcError], tuple[str, str]]:
        return type(self), (self.code, self.detail)


class UsageError(StemsvcError):
    """Raised when the client asked for something that can't be done; never retried."""


class TransientError(StemsvcError):
    """Raised when the same work may succeed later (network, broker, storage); retried with backoff.

    `retry_after` is in seconds, where it can be told when to try again.
    """

    def __init__(self, code: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class FatalError(StemsvcError):
    """Raised when the fault is ours or the installation's; not retried."""
