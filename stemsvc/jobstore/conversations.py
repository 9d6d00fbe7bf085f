"""Conversations and their messages in SQL: who owns them, what was said, what changed since a client looked last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import sqlalchemy as sa

from stemsvc.errors import BadCursor
from stemsvc.jobstore import cursors
from stemsvc.jobstore.engine import reading, translated
from stemsvc.jobstore.search import has_words
from stemsvc.jobstore.tables import conversations, db_now, messages

MOST_CHANGES = 100  # that one look takes
LARGEST = 2**31 - 1  # of numbers and revisions: PostgreSQL's integers


@dataclass(frozen=True)
class Conversation:
    """A conversation. `state` is what the next message is understood over: `stemsvc.assistants.chat.memory`.

    `revision` counts its writes, `messages` its messages so far. Times are seconds since the epoch.
    """

    id: str
    owner: str
    name: str = ""
    auto_run: bool = False
    state: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0
    messages: int = 0
    created_at: float = 0.0
    updated_at: float = 0.0


@dataclass(frozen=True)
class Message:
    """One message. `number` counts from 1 in its conversation, `revision` is that of the write that changed it last.

    `role` is `user` or `assistant`. `body` is what a reply has besides words. `client_key` is the client's name for it.
    """

    conversation_id: str
    number: int
    role: str
    kind: str
    text: str
    body: Mapping[str, Any] = field(default_factory=dict)
    workflow_id: str | None = None
    client_key: str | None = None
    revision: int = 0
    created_at: float = 0.0


@dataclass(frozen=True)
class ConversationPage:
    """Some conversations, and the cursor of the page after them; None on the last page."""

    conversations: list[Conversation]
    cursor: str | None


@dataclass(frozen=True)
class MessagePage:
    """Some messages, newest first, and the cursor of the page after them; None on the last page."""

    messages: list[Message]
    cursor: str | None


_LISTED = [column for column in conversations.c if column.name != "state"]  # which may be long
_MESSAGE = tuple(each.name for each in fields(Message))


class Conversations:
    """Conversations by their ids. Each write names the revision that it has read, so that no message is lost."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, conversation: Conversation) -> Conversation:
        """Store a new conversation, and return it with its times."""
        with translated(), self._engine.begin() as connection:
            now = float(connection.execute(sa.select(db_now())).scalar_one())
            made = replace(conversation, created_at=now, updated_at=now)
            connection.execute(conversations.insert().values(vars(made)))
        return made

    def get(self, conversation_id: str) -> Conversation | None:
        """The conversation; None where there is none of that id."""
        with reading(self._engine) as connection:
            query = sa.select(conversations).where(conversations.c.id == conversation_id)
            row = connection.execute(query).mappings().first()
        return Conversation(**row) if row else None

    def page(self, owner: str, words: str, limit: int, cursor: str | None) -> ConversationPage:
        """The owner's conversations after `cursor`, the one with the newest message first, without their `state`.

        With `words`, those whose name has each of them, or one of whose messages does. Raises `UsageError`
        `bad_cursor`.
        """
        conditions: list[sa.ColumnElement[bool]] = [conversations.c.owner == owner]
        if words.strip():
            dialect = self._engine.dialect.name
            said = sa.select(messages.c.number).where(
                messages.c.conversation_id == conversations.c.id, *has_words(messages.c.text, words, dialect)
            )
            conditions.append(sa.or_(sa.and_(*has_words(conversations.c.name, words, dialect)), sa.exists(said)))
        if cursor is not None:
            conditions.append(cursors.after(cursor, conversations.c.updated_at, conversations.c.id))
        query = sa.select(*_LISTED).where(*conditions)
        query = query.order_by(conversations.c.updated_at.desc(), conversations.c.id.desc()).limit(limit + 1)
        with reading(self._engine) as connection:
            found = [Conversation(**row) for row in connection.execute(query).mappings()]
        last = found[limit - 1] if len(found) > limit else None
        return ConversationPage(found[:limit], cursors.write(last.updated_at, last.id) if last else None)

    def write(self, after: Conversation, new: Sequence[Message] = (), changed: Sequence[Message] = ()) -> bool:
        """Write a conversation whose `revision` is the one that was read, with its new and its changed messages.

        New messages must have the numbers after `messages`, which counts them. Returns False, and writes nothing, where
        somebody else has written since, or a new message's `client_key` is known.
        """
        values = {"name": after.name, "auto_run": after.auto_run, "state": dict(after.state)}
        revision = after.revision + 1
        count: dict[str, Any] = {"messages": after.messages + len(new), "revision": revision}
        touched = {"updated_at": db_now()} if new else {}
        same = sa.and_(conversations.c.id == after.id, conversations.c.revision == after.revision)
        with translated(), self._engine.begin() as connection:
            update = conversations.update().where(same).values(**values, **count, **touched)
            if connection.execute(update).rowcount != 1:
                return False
            keys = [each.client_key for each in new if each.client_key is not None]
            known = sa.select(messages.c.number).where(
                messages.c.conversation_id == after.id, messages.c.client_key.in_(keys)
            )
            if keys and connection.execute(known).first() is not None:
                connection.rollback()
                return False
            for each in new:
                row = {**vars(each), "body": dict(each.body), "revision": revision, "created_at": db_now()}
                connection.execute(messages.insert().values(row))
            for each in changed:
                this = sa.and_(messages.c.conversation_id == after.id, messages.c.number == each.number)
                own = {name: getattr(each, name) for name in ("kind", "text", "workflow_id")}
                now = {**own, "body": dict(each.body), "revision": revision}
                connection.execute(messages.update().where(this).values(now))
        return True

    def grow(self, conversation_id: str, number: int, text: str) -> None:
        """Replace the text of a reply that is being written; only its writer does."""
        this = conversations.c.id == conversation_id
        newer = sa.select(conversations.c.revision).where(this).scalar_subquery()
        which = sa.and_(messages.c.conversation_id == conversation_id, messages.c.number == number)
        with translated(), self._engine.begin() as connection:
            connection.execute(conversations.update().where(this).values(revision=conversations.c.revision + 1))
            connection.execute(messages.update().where(which).values(text=text, revision=newer))

    def delete(self, conversation_id: str) -> bool:
        """Erase a conversation with its messages; False where there is none."""
        with translated(), self._engine.begin() as connection:
            this = conversations.delete().where(conversations.c.id == conversation_id)
            return connection.execute(this).rowcount == 1

    def forget(self, seconds: float) -> int:
        """Erase conversations whose last message came longer than `seconds` ago; returns how many."""
        old = conversations.c.updated_at < db_now() - seconds
        with translated(), self._engine.begin() as connection:
            return connection.execute(conversations.delete().where(old)).rowcount

    # --- messages -----------------------------------------------------------------------------------------------

    def message(self, conversation_id: str, number: int) -> Message | None:
        """The message of that number; None where there is none."""
        return self._one(conversation_id, messages.c.number == number) if 0 < number <= LARGEST else None

    def named(self, conversation_id: str, client_key: str) -> Message | None:
        """The message that came with this key of its client; None where there is none."""
        return self._one(conversation_id, messages.c.client_key == client_key)

    def _one(self, conversation_id: str, which: sa.ColumnElement[bool]) -> Message | None:
        with reading(self._engine) as connection:
            query = sa.select(messages).where(messages.c.conversation_id == conversation_id, which)
            row = connection.execute(query).mappings().first()
        return _message(row) if row else None

    def messages(self, conversation_id: str, limit: int, cursor: str | None) -> MessagePage:
        """The newest messages after `cursor`, newest first. Raises `UsageError` `bad_cursor`."""
        query = sa.select(messages).where(messages.c.conversation_id == conversation_id)
        if cursor is not None:
            query = query.where(messages.c.number < _number(cursor))
        query = query.order_by(messages.c.number.desc()).limit(limit + 1)
        with reading(self._engine) as connection:
            found = [_message(row) for row in connection.execute(query).mappings()]
        more = len(found) > limit
        return MessagePage(found[:limit], str(found[limit - 1].number) if more else None)

    def all_messages(self, conversation_id: str) -> list[Message]:
        """Every message, the oldest first."""
        query = sa.select(messages).where(messages.c.conversation_id == conversation_id).order_by(messages.c.number)
        with reading(self._engine) as connection:
            return [_message(row) for row in connection.execute(query).mappings()]

    def changes(self, conversation_id: str, revision: int, number: int) -> list[Message]:
        """The next messages that were written after that place, at most `MOST_CHANGES`, in the order of their writes.

        A place is the revision and the number of the last message that was seen; 0 and 0 before all of them.
        """
        later = sa.or_(
            messages.c.revision > revision, sa.and_(messages.c.revision == revision, messages.c.number > number)
        )
        query = sa.select(messages).where(messages.c.conversation_id == conversation_id, later)
        query = query.order_by(messages.c.revision, messages.c.number).limit(MOST_CHANGES)
        with reading(self._engine) as connection:
            return [_message(row) for row in connection.execute(query).mappings()]


def _message(row: Mapping[Any, Any]) -> Message:
    return Message(**{name: row[name] for name in _MESSAGE})


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 10 or int(cursor) > LARGEST:
        raise BadCursor("take `next_cursor` from the page before")
    return int(cursor)
