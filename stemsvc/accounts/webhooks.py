"""Webhooks about clients' jobs, by the Standard Webhooks convention (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import enum
import random
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit


class EventType(enum.StrEnum):
    """The events that a webhook can deliver."""

    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    CANCELED = "job.canceled"
    PROGRESS = "job.progress"  # at each quarter of a job


class WorkflowEventType(enum.StrEnum):
    """The events of workflows that a webhook can deliver."""

    SUCCEEDED = "workflow.succeeded"
    FAILED = "workflow.failed"
    CANCELED = "workflow.canceled"


TEST = "webhook.test"  # the type of an event that tests a receiver; no job asks for it
STATES = ("pending", "delivered", "dead")  # of a delivery
ENDS = (EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELED)  # delivered to a client that names no events
FIRST_SECONDS, LONGEST_SECONDS = 5.0, 3600.0  # pauses between tries
GIVE_UP_SECONDS = 86400.0
PREFIX = "whsec_"


@dataclass(frozen=True)
class Delivery:
    """One webhook to one client, and its state. Times are seconds since the epoch by the database's clock."""

    id: str
    job_id: str
    owner: str
    url: str
    type: str
    state: str  # one of `STATES`
    attempt: int
    created_at: float
    first_at: float  # its tries count from here: when it was made, or last replayed
    next_at: float | None
    ended_at: float | None
    detail: str | None  # the result of the last try
    host: str | None = None  # None: release 0.1 has made it
    lease: str | None = None  # of the try that is at work
    lease_expires_at: float | None = None

    @property
    def receiver(self) -> str:
        """The host that gets it."""
        return self.host or receiver(self.url)


@dataclass(frozen=True)
class Secret:
    """A secret that signs an owner's webhooks. Times are seconds since the epoch by the database's clock."""

    id: int
    secret: str
    created_at: float
    expires_at: float | None  # None: it is the newest one


def receiver(url: str) -> str:
    """The host of a URL, as what is sent to it or fetched from it is counted; the URL itself where it has none."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return (host or url).rstrip(".")[:255]


def new_secret() -> str:
    """A secret for signing, as the convention writes it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def pause(attempt: int) -> float:
    """Seconds to wait after try `attempt` failed: doubling from 5 s to an hour, varied at random by a fifth."""
    return float(min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (attempt - 1)) * random.uniform(0.8, 1.2))
