"""Delivers webhooks: signs them, sends them only to public addresses, and notes each try."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from opentelemetry.trace import SpanKind

from stemsvc.accounts.cipher import open_cipher
from stemsvc.accounts.retention import Retention
from stemsvc.accounts.webhooks import Delivery, WorkflowEventType, pause
from stemsvc.control.guard import Guard
from stemsvc.control.present import Links, job_body
from stemsvc.control.present_workflow import workflow_body
from stemsvc.control.send_webhook import TRY_SECONDS, Poster
from stemsvc.control.services import open_guard
from stemsvc.errors import JobGone, StemsvcError, UrlRefused, UsageError
from stemsvc.jobs.record import Job
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.webhooks import Bounds
from stemsvc.observe import metrics
from stemsvc.observe.loggers import get_logger
from stemsvc.observe.traces import Attributes, describe, mark_failed, span
from stemsvc.settings import Settings
from stemsvc.storage import open_signer, open_storage

log = get_logger()
LOOK_SECONDS = 1.0  # between two looks for what is due
GONE = 410  # by the convention the receiver wants no more of these


@dataclass(frozen=True)
class Deliverer:
    """Delivers webhooks with these parts."""

    store: JobStore
    links: Links  # signs the URLs in what it sends
    guard: Guard
    proxy: Callable[[], str] = str

    def deliver(self, delivery: Delivery) -> None:
        """Try once what `take` has leased. Its row then says when to try again. Raises the store's errors."""
        job = self.store.get(delivery.job_id)
        facts: Attributes = {
            "stemsvc.job_id": delivery.job_id,
            "stemsvc.request_id": (job.request_id if job else None) or "",
            "stemsvc.event": delivery.type,
            "stemsvc.attempt": delivery.attempt,
            "http.request.method": "POST",
            "server.address": urlsplit(delivery.url).hostname or "",
        }
        with (
            structlog.contextvars.bound_contextvars(
                job_id=delivery.job_id, delivery_id=delivery.id, request_id=job.request_id if job else None
            ),
            span("POST", facts, parent=job.trace if job else None, kind=SpanKind.CLIENT) as made,
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
                describe(made, {"http.response.status_code": status})
                self._answered(delivery, status)

    def _post(self, delivery: Delivery) -> int:
        self.guard.check_url(delivery.url)
        body = self._body(delivery)
        secrets = self.store.webhooks.secrets(delivery.owner)
        return Poster(self.guard, self.proxy(), TRY_SECONDS).post(delivery.url, delivery.id, secrets, body)

    def _body(self, delivery: Delivery) -> str:
        view = self.store.view(delivery.job_id)
        if view is None:
            raise JobGone("the job was deleted")
        about = delivery.type in list(WorkflowEventType)
        data = self._workflow(view.job) if about else job_body(self.links, view)
        payload = {"type": delivery.type, "timestamp": _iso(delivery.created_at), "data": data}
        return json.dumps(payload, default=_plain)

    def _workflow(self, last: Job) -> dict[str, Any]:
        """The workflow whose last job this is."""
        workflows = self.store.workflows
        workflow = workflows.get(last.workflow_id or "")
        if workflow is None:
            raise JobGone("the workflow was deleted")
        return workflow_body(self.links, workflow, workflows.jobs(workflow.id), workflows.timeline(workflow.id))

    def _answered(self, delivery: Delivery, status: int) -> None:
        if 200 <= status < 300:
            self.store.webhooks.delivered(delivery, f"answered {status}")
            metrics.webhook_tried("delivered")
            log.info("webhook delivered", attempt=delivery.attempt)
        else:
            self._failed(delivery, f"answered {status}", final=status == GONE)

    def _failed(self, delivery: Delivery, detail: str, *, final: bool = False) -> None:
        wait = pause(delivery.attempt)
        self.store.webhooks.failed(delivery, detail, wait, final=final)
        metrics.webhook_tried("failed")
        public = re.sub(r"https?://\S+", "", detail)
        mark_failed(description=public)
        log.warning("webhook not delivered", attempt=delivery.attempt, detail=public)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def deliverer(settings: Settings) -> Deliverer:
    """A deliverer by the settings."""
    base = settings.public_url or f"http://{settings.api_host}:{settings.api_port}"
    store = JobStore(
        settings.resolved_database_url,
        cipher=open_cipher(settings),
        url_now=lambda: settings.fresh().resolved_database_url,
    )
    retention = Retention(settings.stems_ttl_seconds, store.keys.retentions)
    links = Links(open_storage(settings), settings.url_ttl_seconds, base, open_signer(settings), retention)
    return Deliverer(store, links, open_guard(settings), lambda: settings.fresh().fetch_proxy)


class Deliveries:
    """Tries due deliveries in threads of its own, from `start` to `stop`, so that links and webhooks never wait for
    each other. Any number of processes may do so at once."""

    def __init__(self, deliverer: Deliverer, threads: int) -> None:
        self._deliver = deliverer.deliver
        self._webhooks = deliverer.store.webhooks
        self._threads = threads
        self._bounds = Bounds(host=max(1, threads // 4), owner=max(1, threads // 2))
        self._free = threading.Condition()
        self._busy = 0
        self._stopped = False
        self._pool = ThreadPoolExecutor(threads, "webhook")
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no more tries."""
        with self._free:
            self._stopped = True
            self._free.notify_all()

    def join(self, seconds: float = TRY_SECONDS + 5.0) -> None:
        """After `stop`, wait for the tries at work, which have a deadline."""
        self._thread.join(seconds)
        with self._free:
            self._free.wait_for(lambda: not self._busy, seconds)
        self._pool.shutdown(wait=False)

    def _run(self) -> None:
        while True:
            with self._free:
                self._free.wait_for(lambda: self._stopped or self._busy < self._threads)
                if self._stopped:
                    return
                room = self._threads - self._busy
            taken = self._taken(room)
            with self._free:
                self._busy += len(taken)
            for delivery in taken:
                self._pool.submit(self._try, delivery)
            if not taken:
                with self._free:
                    self._free.wait_for(lambda: self._stopped, LOOK_SECONDS)

    def _taken(self, room: int) -> list[Delivery]:
        try:
            return self._webhooks.take(room, self._bounds)
        except StemsvcError as error:
            log.warning("due webhooks not read", code=error.code, detail=error.detail)
        except Exception:
            log.exception("due webhooks not read")
        return []

    def _try(self, delivery: Delivery) -> None:
        try:
            self._deliver(delivery)
        except StemsvcError as error:  # its lease runs out, and then it is tried again
            log.warning("webhook's outcome not stored", code=error.code, detail=error.detail)
        except Exception:
            log.exception("webhook not tried")
        finally:
            with self._free:
                self._busy -= 1
                self._free.notify_all()
