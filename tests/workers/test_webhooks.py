"""Webhooks: one for each end, signed, tried again, never to where it must not go."""

from __future__ import annotations

import contextlib
import itertools
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from jsonschema import Draft202012Validator
from standardwebhooks import Webhook, WebhookVerificationError

from stemsvc.accounts.webhooks import ENDS, Delivery, pause
from stemsvc.control.guard import Guard
from stemsvc.control.present import Links
from stemsvc.jobs.pools import INPUTS
from stemsvc.jobs.record import WAITING_FOR_INPUTS, JobState, Lease, input_key, new_job_id
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds as JobBounds
from stemsvc.jobstore.intake import NewStep
from stemsvc.jobstore.webhooks import Bounds
from stemsvc.settings import Settings
from stemsvc.storage import open_signer, open_storage
from stemsvc.workflows.record import Workflow
from tests.processes import wait_for
from tests.schema import fresh_schema
from tests.specs import job_of, spec_of
from workers import webhooks
from workers.webhooks import Deliverer, Deliveries


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
    fresh_schema(url)
    store = JobStore(url)
    yield store
    store.close()


def links(settings: Settings) -> Links:
    return Links(open_storage(settings), settings.url_ttl_seconds, "http://127.0.0.1:8080", open_signer(settings))


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


ALL = Bounds(host=100, owner=100)


def due(store: JobStore) -> list[Delivery]:
    """Tries of all pending deliveries: their pauses are made to be over."""
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE webhook_deliveries SET next_at = 0 WHERE state = 'pending'"))
    return store.webhooks.take(100, ALL)


def only(store: JobStore) -> Delivery:
    (delivery,) = store.webhooks.recent()
    return delivery


def test_an_end_is_told_once_and_signed(deliverer: Deliverer, store: JobStore, listener: Listener) -> None:
    lease = running(store, listener.url)
    assert store.webhooks.take(9) == []
    store.leases.succeed(lease, {}, {"vocals": {"key": f"{lease.prefix}/vocals.flac", "bytes": 1, "sha256": "x"}})
    (delivery,) = store.webhooks.take(9)
    assert store.webhooks.take(9) == []  # it is ours for a while
    deliverer.deliver(delivery)
    assert store.webhooks.take(9) == []

    ((headers, body),) = listener.got
    (secret,) = store.webhooks.secrets("")
    told = Webhook(secret).verify(body, headers)
    assert (told["type"], told["data"]["id"], told["data"]["state"]) == ("job.succeeded", lease.job_id, "succeeded")
    assert told["data"]["stems"]["vocals"]["url"].startswith("http://127.0.0.1:")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace("succeeded", "failed"), headers)
    assert (only(store).state, only(store).attempt) == ("delivered", 1)


def test_a_webhook_s_body_is_what_is_described(deliverer: Deliverer, store: JobStore, listener: Listener) -> None:
    described = json.loads((Path(__file__).parents[2] / "api" / "openapi.json").read_text())
    lease = running(store, listener.url)
    stem = {"key": f"{lease.prefix}/vocals.flac", "bytes": 1, "sha256": "x", "content_type": "audio/flac"}
    store.leases.succeed(lease, {}, {"vocals": {**stem, "peak": 0.5}})
    (delivery,) = store.webhooks.take(9)
    deliverer.deliver(delivery)

    ((_, body),) = listener.got
    event = json.loads(body)
    schema = described["webhooks"][event["type"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": described["components"]}).validate(event)
    assert event["data"]["timeline"][-1]["to"] == event["data"]["timeline"][-1]["to_state"] == "succeeded"
    assert event["data"]["urls"]["self"] == f"http://127.0.0.1:8080/v1/jobs/{lease.job_id}"


def test_each_end_has_its_own_type(deliverer: Deliverer, store: JobStore, listener: Listener) -> None:
    failed, canceled = running(store, listener.url), running(store, listener.url)
    store.leases.fail(failed, "not_audio", "no")
    store.cancel(canceled.job_id, "canceled by the client")
    for delivery in store.webhooks.take(9):
        deliverer.deliver(delivery)
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
    assert store.webhooks.take(9) == []  # it waits

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
    deliverer.deliver(store.webhooks.take(9)[0])
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


class Drip(socketserver.StreamRequestHandler):
    """Answers drop by drop, and never to the end."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            for letter in itertools.chain(b"HTTP/1.1 200 OK\r\nX-Slow: ", itertools.repeat(120)):
                self.wfile.write(bytes([letter]))
                time.sleep(0.05)


@pytest.fixture
def dripping() -> Iterator[str]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.2", 0), Drip) as server:  # another host than the listener's
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.2:{server.server_address[1]}/hook"
        server.shutdown()


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.long
def test_an_answer_drop_by_drop_ends_at_the_deadline_of_the_try(
    settings: Settings, store: JobStore, dripping: str, monkeypatch: pytest.MonkeyPatch, proxied: bool
) -> None:
    monkeypatch.setattr(webhooks, "TRY_SECONDS", 2.0)
    proxy = dripping.removesuffix("/hook") * proxied
    deliverer = Deliverer(store, links(settings), Guard("127.0.0.0/8"), lambda: proxy)
    store.leases.succeed(running(store, dripping), {}, {})
    begun = time.monotonic()
    deliverer.deliver(due(store)[0])

    assert time.monotonic() - begun < 10
    assert (only(store).state, only(store).detail) == ("pending", "no answer (ReadTimeout)")


@pytest.mark.long
def test_receivers_that_never_finish_keep_nobody_else_waiting(
    deliverer: Deliverer, store: JobStore, listener: Listener, dripping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TRY_SECONDS", 4.0)
    # given more slow deliveries than there are threads, all due before anybody else's
    for number in range(12):
        store.leases.succeed(running(store, dripping.replace("hook", str(number)), owner="mallory"), {}, {})
    sending = Deliveries(deliverer, threads=4)
    sending.start()
    try:
        wait_for("slow ones at work", lambda: [each for each in store.webhooks.recent() if each.lease])

        # when others' jobs end
        jobs = [running(store, listener.url, owner="bob") for _ in range(6)]
        for lease in jobs:
            store.leases.succeed(lease, {}, {})

        # then they hear of it while the slow ones are still at work
        wait_for("the others' webhooks", lambda: len(listener.got) == 6, 10)
        # the last answer is written down a moment after the listener gave it
        wait_for(
            "the slow ones alone",
            lambda: [each.owner for each in store.webhooks.recent() if each.lease] == ["mallory"],
            10,
        )
    finally:
        sending.stop()
        sending.join()


def test_a_stop_waits_for_the_tries_at_work_and_begins_no_more(
    deliverer: Deliverer, store: JobStore, dripping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TRY_SECONDS", 1.0)
    for _ in range(3):
        store.leases.succeed(running(store, dripping), {}, {})
    sending = Deliveries(deliverer, threads=4)
    sending.start()
    wait_for("a try", lambda: any(each.lease for each in store.webhooks.recent()))
    sending.stop()
    sending.join()

    found = store.webhooks.recent()
    assert sorted(each.attempt for each in found) == [0, 0, 1]
    assert not any(each.lease for each in found)


@pytest.mark.parametrize("end", ["succeeded", "failed", "canceled"])
@pytest.mark.long
def test_the_end_of_a_workflow_is_told_with_all_of_it(
    deliverer: Deliverer, store: JobStore, listener: Listener, end: str
) -> None:
    first, last, workflow_id = new_job_id(), new_job_id(), new_job_id()
    spec = spec_of("demo", stems=("vocals",))
    job = job_of(first, JobState.QUEUED, spec, "separate.demo.cpu", input_key(first), "song.mp3")
    job = replace(job, workflow_id=workflow_id, step="split")
    waiting = replace(job, id=last, pool=INPUTS, next_pool=job.pool, stage=WAITING_FOR_INPUTS, step="again")
    waiting = replace(waiting, inputs=(Input("", from_job=first, from_output="vocals"),))
    events = ["workflow.succeeded", "workflow.failed", "workflow.canceled"]
    workflow = Workflow(
        workflow_id,
        "",
        "song",
        {"steps": [{"id": "split", "do": "separate"}, {"id": "again", "do": "separate"}], "outputs": []},
        {"webhook_url": listener.url, "webhook_events": events},
    )
    steps = [NewStep(job, "accepted"), NewStep(waiting, "accepted", waits_for=(first,))]
    store.intake.put_workflow(workflow, steps, JobBounds(100, 100))
    for job_id in (first, last) if end == "succeeded" else (first,):
        taken = store.leases.take(job_id, "worker", 60)
        assert taken is not None
        if end == "succeeded":
            file = {
                "key": f"{taken[1].prefix}/vocals.flac",
                "bytes": 1,
                "content_type": "audio/flac",
                "sha256": "0" * 64,
            }
            store.leases.succeed(taken[1], {}, {"vocals": file})
        elif end == "failed":
            store.leases.fail(taken[1], "not_audio", "no")
        else:
            store.cancel(job_id, "canceled by the client")

    for each in due(store):
        deliverer.deliver(each)

    ((_, body),) = listener.got
    told = json.loads(body)
    assert (told["type"], told["data"]["id"], told["data"]["state"]) == (f"workflow.{end}", workflow_id, end)
    failure = {"step": "split", "code": "not_audio", "detail": "no"}
    assert told["data"]["error"] == (failure if end == "failed" else None)
    document = json.loads(Path("api/openapi.json").read_text())
    Draft202012Validator({**document, "$ref": "#/components/schemas/WorkflowEvent"}).validate(told)
