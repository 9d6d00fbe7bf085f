"""Delivers webhooks: signs them, sends them only to public addresses, and notes each try."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import structlog
from opentelemetry.trace import SpanKind
from standardwebhooks import Webhook

from stemsvc.accounts.webhooks import Delivery, pause
from stemsvc.control.present import Links, job_body
from stemsvc.errors import JobGone, StemsvcError, UrlRefused, UsageError
from stemsvc.guard import Guard, guarded_client
from stemsvc.jobstore import JobStore
from stemsvc.observe.traces import Attributes, mark_failed, span

log = structlog.get_logger()
ANSWER_SECONDS = 15.0  # to wait for an answer, as the Standard Webhooks convention advises
GONE = 410  # by the convention the receiver wants no more of these


@dataclass(frozen=True)
class Deliverer:
    """Delivers webhooks with these parts."""

    store: JobStore
    links: Links  # signs the URLs in what it sends
    guard: Guard
    proxy: str = ""

    def deliver(self, delivery_id: str) -> None:
        """Try once. The delivery's row says when to try again. Raises the store's errors."""
        delivery = self.store.webhooks.take(delivery_id)
        if delivery is None:
            return
        job = self.store.get(delivery.job_id)
        facts: Attributes = {
            "stemsvc.job_id": delivery.job_id,
            "stemsvc.request_id": (job.request_id if job else None) or "",
            "stemsvc.event": delivery.type,
            "stemsvc.attempt": delivery.attempt,
        }
        with (
            structlog.contextvars.bound_contextvars(
                job_id=delivery.job_id, delivery_id=delivery.id, request_id=job.request_id if job else None
            ),
            span("webhook", facts, parent=job.trace if job else None, kind=SpanKind.CLIENT),
        ):
            try:
                status = self._post(delivery)
            except UsageError as error:  # a refused address stays refused, so it is not tried again
                self._failed(delivery, f"{error.code}: {error.detail}", final=isinstance(error, UrlRefused))
            except StemsvcError as error:
                self._failed(delivery, f"{error.code}: {error.detail}")
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                self._failed(delivery, f"no answer ({type(error).__name__})")
            else:
                self._answered(delivery, status)

    def _post(self, delivery: Delivery) -> int:
        self.guard.check_url(delivery.url)
        body = self._body(delivery)
        now = datetime.now(UTC)
        secrets = self.store.webhooks.secrets(delivery.owner)
        signatures = [Webhook(secret).sign(delivery.id, now, body) for secret in secrets]
        headers = {
            "content-type": "application/json",
            "user-agent": "stemsvc-webhooks",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        with (
            guarded_client(self.guard, ANSWER_SECONDS, self.proxy) as client,
            client.stream("POST", delivery.url, content=body.encode(), headers=headers) as response,
        ):
            return response.status_code  # nothing else of the answer is read

    def _body(self, delivery: Delivery) -> str:
        view = self.store.view(delivery.job_id)
        if view is None:
            raise JobGone("the job was deleted")
        payload = {"type": delivery.type, "timestamp": _iso(delivery.created_at), "data": job_body(self.links, view)}
        return json.dumps(payload, default=_plain)

    def _answered(self, delivery: Delivery, status: int) -> None:
        if 200 <= status < 300:
            self.store.webhooks.delivered(delivery, f"answered {status}")
            log.info("webhook delivered", attempt=delivery.attempt)
        else:
            self._failed(delivery, f"answered {status}", final=status == GONE)

    def _failed(self, delivery: Delivery, detail: str, *, final: bool = False) -> None:
        wait = pause(delivery.attempt)
        self.store.webhooks.failed(delivery, detail, wait, final=final)
        public = re.sub(r"https?://\S+", "", detail)
        mark_failed(description=public)
        log.warning("webhook not delivered", attempt=delivery.attempt, detail=public)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
