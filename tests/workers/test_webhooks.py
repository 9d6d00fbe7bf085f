"""Webhooks: one for each end, signed, tried again, never to where it must not go."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook, WebhookVerificationError

from stemsvc.accounts.webhooks import ENDS, Delivery, pause
from stemsvc.control.present import Links
from stemsvc.guard import Guard
from stemsvc.jobs.record import JobState, Lease, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.specs import job_of, spec_of
from workers.webhooks import Deliverer


@dataclass
class Listener:
    """A client's server: what it was sent, what it answers."""

    url: str = ""
    status: int = 200
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found.got.append((dict(self.headers), body))
            self.send_response(found.status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_port}/hook"
        yield found
        server.shutdown()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, settings: Settings) -> Iterator[JobStore]:
    settings.data_dir.mkdir()
    url = settings.resolved_database_url if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    migrate(url)
    store = JobStore(url)
    yield store
    store.close()


def links(settings: Settings) -> Links:
    return Links(open_storage(settings), settings.url_ttl_seconds, "http://127.0.0.1:8080")


@pytest.fixture
def deliverer(settings: Settings, store: JobStore) -> Deliverer:
    return Deliverer(store, links(settings), Guard("127.0.0.0/8"))


def running(store: JobStore, url: str, events: tuple[str, ...] = tuple(ENDS), owner: str = "") -> Lease:
    job_id = new_job_id()
    options = spec_of("demo", stems=("vocals",), webhook_url=url, webhook_events=tuple(map(str, events)))
    job = job_of(job_id, JobState.QUEUED, options, "separate.demo.cpu", input_key(job_id), "song.mp3", 1, owner=owner)
    store.intake.put(job, "accepted")
    taken = store.leases.take(job_id, "worker", 60)
    assert taken is not None
    return taken[1]


def due(store: JobStore) -> list[str]:
    """Claimed deliveries, all that are due, their pauses being over."""
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE webhook_deliveries SET next_at = 0 WHERE state = 'pending'"))
    return store.webhooks.claim()


def only(store: JobStore) -> Delivery:
    (delivery,) = store.webhooks.recent()
    return delivery


def test_an_end_is_told_once_and_signed(deliverer: Deliverer, store: JobStore, listener: Listener) -> None:
    lease = running(store, listener.url)
    assert store.webhooks.claim() == []
    store.leases.succeed(lease, {}, {"vocals": {"key": f"{lease.prefix}/vocals.flac", "bytes": 1, "sha256": "x"}})
    (delivery_id,) = store.webhooks.claim()
    assert store.webhooks.claim() == []  # it is ours for a while
    deliverer.deliver(delivery_id)
    deliverer.deliver(delivery_id)  # a message too many

    ((headers, body),) = listener.got
    (secret,) = store.webhooks.secrets("")
    told = Webhook(secret).verify(body, headers)
    assert (told["type"], told["data"]["id"], told["data"]["state"]) == ("job.succeeded", lease.job_id, "succeeded")
    assert told["data"]["stems"]["vocals"]["url"].startswith("http://127.0.0.1:")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace("succeeded", "failed"), headers)
    assert (only(store).state, only(store).attempt) == ("delivered", 1)


def test_each_end_has_its_own_type(deliverer: Deliverer, store: JobStore, listener: Listener) -> None:
    failed, canceled = running(store, listener.url), running(store, listener.url)
    store.leases.fail(failed, "not_audio", "no")
    store.cancel(canceled.job_id, "canceled by the client")
    for delivery_id in store.webhooks.claim():
        deliverer.deliver(delivery_id)
    assert sorted(json.loads(body)["type"] for _, body in listener.got) == ["job.canceled", "job.failed"]


def test_who_asked_for_none_or_for_others_is_not_told(store: JobStore, listener: Listener) -> None:
    store.leases.succeed(running(store, ""), {}, {})
    store.leases.succeed(running(store, listener.url, ("job.failed",)), {}, {})
    assert store.webhooks.recent() == []


def test_progress_is_told_on_request(store: JobStore, listener: Listener) -> None:
    asked, silent = running(store, listener.url, ("job.progress",)), running(store, listener.url)
    for lease in (asked, silent):
        store.leases.announce(lease, "job.progress")
    assert only(store).type == "job.progress"
    store.leases.announce(Lease(asked.job_id, asked.attempt + 1, "other"), "job.progress")  # a stale worker
    assert only(store).type == "job.progress"


def test_a_client_that_fails_is_told_again_with_growing_pauses(
    deliverer: Deliverer, store: JobStore, listener: Listener
) -> None:
    store.leases.succeed(running(store, listener.url), {}, {})
    listener.status = 503
    deliverer.deliver(due(store)[0])
    first = only(store)
    assert (first.state, first.attempt, first.detail) == ("pending", 1, "answered 503")
    assert store.webhooks.claim() == []  # it waits

    listener.status = 204
    deliverer.deliver(due(store)[0])
    assert (only(store).state, only(store).attempt) == ("delivered", 2)
    assert [headers["webhook-id"] for headers, _ in listener.got] == [first.id] * 2  # for the client to know it by
    assert 4 <= pause(1) <= 6
    assert 2880 <= pause(20) <= 4320


def test_a_day_is_enough(deliverer: Deliverer, store: JobStore, listener: Listener) -> None:
    store.leases.succeed(running(store, listener.url), {}, {})
    listener.status = 500
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE webhook_deliveries SET first_at = first_at - 86400"))
    deliverer.deliver(due(store)[0])
    assert only(store).state == "dead"
    assert due(store) == []

    listener.status = 200
    assert store.webhooks.replay(only(store).id)
    deliverer.deliver(store.webhooks.claim()[0])
    assert only(store).state == "delivered"


@pytest.mark.parametrize("status", [301, 307, 400, 404])
def test_redirects_are_not_followed_and_refusals_are_tried_again(
    deliverer: Deliverer, store: JobStore, listener: Listener, status: int
) -> None:
    store.leases.succeed(running(store, listener.url), {}, {})
    listener.status = status
    deliverer.deliver(due(store)[0])
    assert (only(store).state, only(store).detail) == ("pending", f"answered {status}")


def test_gone_means_never_again(deliverer: Deliverer, store: JobStore, listener: Listener) -> None:
    store.leases.succeed(running(store, listener.url), {}, {})
    listener.status = 410
    deliverer.deliver(due(store)[0])
    assert only(store).state == "dead"


def test_private_addresses_are_refused_at_delivery_too(settings: Settings, store: JobStore, listener: Listener) -> None:
    store.leases.succeed(running(store, listener.url), {}, {})
    Deliverer(store, links(settings), Guard()).deliver(due(store)[0])
    assert (only(store).state, listener.got) == ("dead", [])
    assert "url_refused" in str(only(store).detail)


def test_nobody_there_is_a_failure_like_any_other(deliverer: Deliverer, store: JobStore) -> None:
    store.leases.succeed(running(store, "http://127.0.0.1:9/"), {}, {})
    deliverer.deliver(due(store)[0])
    assert (only(store).state, only(store).detail) == ("pending", "no answer (ConnectError)")


def test_secrets_rotate_without_a_gap(deliverer: Deliverer, store: JobStore, listener: Listener) -> None:
    (old,) = store.webhooks.secrets("alice")
    new = store.webhooks.rotate("alice", 3600)
    store.leases.succeed(running(store, listener.url, owner="alice"), {}, {})
    deliverer.deliver(due(store)[0])

    ((headers, body),) = listener.got
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    assert store.webhooks.secrets("alice") == [new, old]
    assert store.webhooks.secrets("bob") != [new, old]
    newest = store.webhooks.rotate("alice", -1)
    assert store.webhooks.secrets("alice") == [newest, old]  # the first keeps the time it was given


def test_an_erased_jobs_message_is_erased_with_it(store: JobStore, listener: Listener) -> None:
    lease = running(store, listener.url)
    store.leases.succeed(lease, {}, {})
    store.delete(lease.job_id)
    assert store.webhooks.recent() == []
