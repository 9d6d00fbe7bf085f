"""What several processes write at the same moment, on both databases: accounts, uploads, webhooks, workers, the schema.

The jobs' own races stand in `test_job_races`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from stemsvc.accounts.keys import DEFAULT_SCOPES, new_key
from stemsvc.errors import TooManyUploads
from stemsvc.jobs.record import new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import revisions
from stemsvc.jobstore.tables import db_now, uploads, webhook_secrets
from stemsvc.jobstore.uploads import Upload, named_id
from stemsvc.jobstore.workers import Worker
from tests.processes import plain_environment
from tests.stemsvc.jobstore.racing import RACERS, ROUNDS, new_job, put, race, race_all, racers, taken


@pytest.fixture
def stores(url: str) -> Iterator[list[JobStore]]:
    with racers(url) as made:
        yield made


def lasting(store: JobStore, owner: str) -> list[str]:
    """The owner's secrets that never expire."""
    which = sa.and_(webhook_secrets.c.owner == owner, webhook_secrets.c.expires_at.is_(None))
    with store._engine.begin() as connection:
        return list(connection.execute(sa.select(webhook_secrets.c.secret).where(which)).scalars())


def test_the_first_webhooks_of_an_owner_share_one_secret(stores: list[JobStore]) -> None:
    for number in range(ROUNDS):
        found = race(stores, lambda store, owner: store.webhooks.secrets(owner), f"owner-{number}")
        assert len({tuple(each) for each in found}) == 1
        assert len(found[0]) == 1


def test_after_rotations_at_once_one_secret_never_expires(stores: list[JobStore]) -> None:
    for number in range(ROUNDS):
        owner = f"owner-{number}"
        (first,) = stores[0].webhooks.secrets(owner)
        made = race(stores, lambda store, owner: store.webhooks.rotate(owner, 3600), owner)

        (newest,) = lasting(stores[0], owner)
        assert newest in made
        assert set(stores[0].webhooks.secrets(owner)) == {first, *made}


def test_a_rotation_beside_the_first_webhook_leaves_one_lasting_secret(stores: list[JobStore]) -> None:
    for number in range(ROUNDS):
        owner = f"owner-{number}"
        first = [(each, lambda store, owner: store.webhooks.secrets(owner), owner) for each in stores[1:]]
        race_all([(stores[0], lambda store, owner: store.webhooks.rotate(owner, 3600), owner), *first])
        assert len(lasting(stores[0], owner)) == 1


def test_of_uploads_with_one_idempotency_key_one_is_made(stores: list[JobStore]) -> None:
    for number in range(ROUNDS):
        upload = Upload(named_id("owner", f"key-{number}", "song.mp3"), "owner", "song.mp3", 100)
        made = race(stores, lambda store, upload: store.uploads.add(upload, 3600, ROUNDS, named=True), upload)
        assert {each.id for each in made} == {upload.id}


def test_open_uploads_stay_within_their_cap(stores: list[JobStore]) -> None:
    most = 2

    def announce(store: JobStore, owner: str) -> Upload | None:
        try:
            return store.uploads.add(Upload(new_job_id(), owner, "song.mp3", 100), 3600, most)
        except TooManyUploads:
            return None

    for number in range(ROUNDS):
        owner = f"owner-{number}"
        assert sum(each is not None for each in race(stores, announce, owner)) == most
        with stores[0]._engine.begin() as connection:
            mine = sa.select(sa.func.count()).where(uploads.c.owner == owner, uploads.c.expires_at > db_now())
            assert connection.execute(mine).scalar_one() == most


def test_an_upload_is_deleted_once(stores: list[JobStore]) -> None:
    upload = stores[0].uploads.add(Upload(new_job_id(), "", "song.mp3", 100), 3600, 1)
    assert upload is not None
    assert sum(race(stores, lambda store: store.uploads.delete(upload.id))) == 1


def test_a_key_is_revoked_once(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        key, _ = new_key("laptop", frozenset(DEFAULT_SCOPES))
        stores[0].keys.add(key)
        assert sum(race(stores, lambda store, key_id: store.keys.revoke(key_id), key.id)) == 1


def test_a_worker_that_reports_twice_at_once_has_one_row(stores: list[JobStore]) -> None:
    for number in range(ROUNDS):
        worker = Worker(f"worker-{number}", ("separate.demo.cpu",), "cpu", "")
        race(stores, lambda store, worker: store.workers.beat(worker, 60), worker)
    assert [seen.worker.id for seen in stores[0].workers.living()] == [f"worker-{each}" for each in range(ROUNDS)]


def test_spending_at_once_adds_up(stores: list[JobStore]) -> None:
    job = put(stores[0], new_job("me"))
    for _ in range(ROUNDS):
        race(stores, lambda store: store.usage.spend(job.id, 1.0))
    (account,) = stores[0].usage.accounts(0.0)
    assert account.device_seconds == RACERS * ROUNDS


def test_a_delivery_is_taken_once_and_ends_once(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        job = put(stores[0], new_job(webhook_url="https://example.org/hook"))
        assert stores[0].leases.succeed(taken(stores[0], job), {}, {})
        found = race(stores, lambda store: store.webhooks.take(9))
        (delivery,) = [each for taken_here in found for each in taken_here]
        assert delivery.attempt == 1

        ended = race(stores, lambda store, own: store.webhooks.delivered(own, "200"), delivery)
        assert sum(ended) == 1


MIGRATE = """
import sys
from stemsvc.jobstore.engine import migrate
print("ready", flush=True)
sys.stdin.readline()
print(migrate(sys.argv[1]), flush=True)
"""


def test_processes_that_start_at_once_make_one_schema(url: str) -> None:
    command = [sys.executable, "-c", MIGRATE, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen(command, text=True, env=plain_environment(), **pipes) for _ in range(3)]  # type: ignore[call-overload]
    try:
        for each in started:
            assert each.stdout.readline() == "ready\n"
        for each in started:
            each.stdin.write("\n")
            each.stdin.flush()
        answers = [each.communicate(timeout=60) for each in started]
    finally:
        for each in started:
            each.kill()
            each.wait()

    now, newest = revisions(url)
    assert now == newest
    assert [(each.returncode, out.strip()) for each, (out, _) in zip(started, answers, strict=True)] == [
        (0, newest)
    ] * 3, answers
