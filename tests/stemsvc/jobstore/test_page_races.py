"""What pages and operators write at the same moment, on both databases: sessions, drained pools, conversations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from stemsvc.accounts.keys import DEFAULT_SCOPES, new_key
from stemsvc.accounts.sessions import Session, new_session
from stemsvc.errors import StemsvcError
from stemsvc.jobs.record import JobState, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore import sessions as module
from stemsvc.jobstore.audit import Act, By, Via
from stemsvc.jobstore.conversations import Conversation, Message
from stemsvc.jobstore.tables import conversations, db_now, messages, sessions
from tests.stemsvc.jobstore.racing import (
    POOL,
    RACERS,
    ROUNDS,
    assert_counts_are_right,
    new_job,
    put,
    race,
    race_all,
    racers,
)

ADMIN = By(Via.API, "key-1")


@pytest.fixture
def stores(url: str) -> Iterator[list[JobStore]]:
    with racers(url) as made:
        yield made


# --- sessions -------------------------------------------------------------------------------------------------------


def log_in(store: JobStore, key_id: str) -> Session:
    key, secret = new_key("laptop", frozenset(DEFAULT_SCOPES))
    return store.sessions.add(new_session(replace(key, id=key_id), secret)[0], 60)


def hashes(store: JobStore, key_id: str) -> set[str]:
    with store._engine.begin() as connection:
        return set(connection.execute(sa.select(sessions.c.hash).where(sessions.c.key_id == key_id)).scalars())


def test_a_key_keeps_to_its_sessions(stores: list[JobStore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PER_KEY", 2)
    for number in range(ROUNDS):
        made = race(stores, log_in, f"key-{number}")
        assert len(hashes(stores[0], f"key-{number}")) == 2
        assert hashes(stores[0], f"key-{number}") <= {each.hash for each in made}


def test_an_ended_session_stays_ended_beside_a_new_one(stores: list[JobStore]) -> None:
    for number in range(ROUNDS):
        first = log_in(stores[0], f"key-{number}")
        ends = [(each, lambda store, hash: store.sessions.end(hash), first.hash) for each in stores[1:]]
        made, *_ = race_all([(stores[0], log_in, f"key-{number}"), *ends])
        assert hashes(stores[0], f"key-{number}") == {made.hash}


def test_forgetting_takes_no_session_that_lasts(stores: list[JobStore]) -> None:
    for number in range(ROUNDS):
        key, secret = new_key("laptop", frozenset(DEFAULT_SCOPES))
        over = [stores[0].sessions.add(new_session(replace(key, id="old"), secret)[0], -1) for _ in range(3)]
        forgets = [(each, lambda store: store.sessions.forget()) for each in stores[1:]]
        made, *forgotten = race_all([(stores[0], log_in, f"key-{number}"), *forgets])
        assert sum(forgotten) == len(over)
        assert hashes(stores[0], f"key-{number}") == {made.hash}


# --- drained pools --------------------------------------------------------------------------------------------------


def drain(store: JobStore, pool: str = POOL) -> bool:
    return store.drains.drain(pool, "a new card", ADMIN)


def resume(store: JobStore, pool: str = POOL) -> bool:
    return store.drains.resume(pool, ADMIN)


def acts(store: JobStore, act: Act) -> int:
    return len(store.audit.entries(1000, acts=[act]))


def test_a_pool_is_drained_once_and_resumed_once(stores: list[JobStore]) -> None:
    for number in range(1, ROUNDS + 1):
        assert sum(race(stores, drain)) == 1
        assert sum(race(stores, resume)) == 1
        assert (acts(stores[0], Act.POOL_DRAIN), acts(stores[0], Act.POOL_RESUME)) == (number, number)
    assert stores[0].drains.all() == {}


def test_drains_and_resumes_at_once_leave_what_was_done_last(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        drained, resumed, *more = race_all([(each, (drain, resume)[place % 2]) for place, each in enumerate(stores)])
        drains, resumes = drained + sum(more[0::2]), resumed + sum(more[1::2])
        assert drains - resumes == (POOL in stores[0].drains.all())
        resume(stores[0])


def test_no_message_of_a_drained_pool_is_sent_or_counted(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        jobs = [put(stores[0], new_job()) for _ in range(4)]

        def claim_and_take(store: JobStore) -> list[str]:
            claimed = store.outbox.claim(2)
            return [each.job_id for each in claimed if store.leases.take(each.job_id, "worker", 60)]

        _, *taken = race_all([(stores[0], drain), *((each, claim_and_take) for each in stores[1:])])

        running = {job_id for each in taken for job_id in each}
        waiting = [stores[0].get(job.id) for job in jobs if job.id not in running]
        assert [(job.state, job.published_at) for job in waiting if job] == [(JobState.QUEUED, None)] * len(waiting)
        assert_counts_are_right(stores[0])
        assert stores[0].outbox.claim() == []

        resume(stores[0])
        assert {each.job_id for each in stores[0].outbox.claim()} == {job.id for job in waiting if job}
        for job in jobs:
            assert stores[0].cancel(job.id, "no")


# --- conversations --------------------------------------------------------------------------------------------------


def said(of: Conversation, text: str, key: str | None = None) -> Message:
    return Message(of.id, of.messages + 1, "user", "text", text, client_key=key)


def say(store: JobStore, conversation_id: str, text: str, key: str | None = None) -> bool:
    """Read the conversation again until the message is written; False where it is gone, or its key is known."""
    while read := store.conversations.get(conversation_id):
        if key is not None and store.conversations.named(conversation_id, key):
            return False
        if store.conversations.write(read, [said(read, text, key)]):
            return True
    return False


def grow(store: JobStore, conversation_id: str) -> None:
    store.conversations.grow(conversation_id, 1, "a reply")


def begun(store: JobStore) -> Conversation:
    return store.conversations.add(Conversation(new_job_id(), "me"))


def texts(store: JobStore, conversation_id: str) -> list[str]:
    return [each.text for each in store.conversations.all_messages(conversation_id)]


def test_of_writes_after_one_reading_one_is_kept(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        read = begun(stores[0])
        acts = [
            (each, lambda store, read, text: store.conversations.write(read, [said(read, text)]), read, str(place))
            for place, each in enumerate(stores)
        ]
        kept = race_all(acts)
        assert sum(kept) == 1
        assert texts(stores[0], read.id) == [str(kept.index(True))]


def test_no_message_is_lost_among_those_who_read_again(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        read = begun(stores[0])
        race_all([(each, say, read.id, str(place)) for place, each in enumerate(stores)])
        now = stores[0].conversations.get(read.id)
        assert now is not None
        assert (now.messages, now.revision) == (RACERS, RACERS)
        assert sorted(texts(stores[0], read.id)) == [str(place) for place in range(RACERS)]


def test_a_message_with_its_clients_key_is_written_once(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        read = begun(stores[0])
        assert sum(race(stores, say, read.id, "once", "key")) == 1
        assert texts(stores[0], read.id) == ["once"]


def test_a_reply_that_grows_loses_no_message(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        read = begun(stores[0])
        assert say(stores[0], read.id, "a")
        grown = [(each, grow, read.id) for each in stores[1:]]
        race_all([(stores[0], say, read.id, "b"), *grown])
        now = stores[0].conversations.get(read.id)
        assert now is not None
        assert (texts(stores[0], read.id), now.messages, now.revision) == (["a reply", "b"], 2, 2 + len(grown))


def test_a_conversation_is_erased_once_and_whole(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        read = begun(stores[0])
        writers = [(each, say, read.id, "more") for each in stores[3:]]
        erasers = [(each, lambda store, id: store.conversations.delete(id), read.id) for each in stores[:2]]
        first, second, *_ = race_all([*erasers, *writers, (stores[2], grow, read.id)])
        assert (first, second) in ((True, False), (False, True))
        with stores[0]._engine.begin() as connection:
            left = sa.select(sa.func.count()).where(messages.c.conversation_id == read.id)
            assert connection.execute(left).scalar_one() == 0


def test_an_old_conversation_that_goes_on_is_not_forgotten(stores: list[JobStore]) -> None:
    for _ in range(ROUNDS):
        read = begun(stores[0])
        with stores[0]._engine.begin() as connection:
            old = conversations.update().where(conversations.c.id == read.id)
            connection.execute(old.values(updated_at=db_now() - 1000))
        forgets = [(each, lambda store: store.conversations.forget(500)) for each in stores[1:]]

        wrote, *forgotten = race_all([(stores[0], say, read.id, "still here"), *forgets])

        assert (sum(forgotten), stores[0].conversations.get(read.id) is None) == (int(not wrote), not wrote)


def test_of_conversations_with_one_id_one_is_made(stores: list[JobStore]) -> None:
    def add(store: JobStore, made: Conversation) -> bool:
        try:
            store.conversations.add(made)
        except StemsvcError:
            return False
        return True

    for _ in range(ROUNDS):
        assert sum(race(stores, add, Conversation(new_job_id(), "me"))) == 1
