"""The service's calls about conversations, each as a flow of one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from stemsvc_client.calls import erased, found_object, once
from stemsvc_client.conversation_results import Conversation, Exchange, Message
from stemsvc_client.messages import Request
from stemsvc_client.retries import Retry, sent
from stemsvc_client.steps import Emit, Flow

CONVERSATIONS = "/v1/conversations"


def path(conversation_id: str) -> str:
    """Where a conversation is."""
    return f"{CONVERSATIONS}/{quote(conversation_id, safe='')}"


def begun(body: Mapping[str, Any], retry: Retry) -> Flow[Conversation]:
    """Begin a conversation; returns it."""
    return Conversation.of(found_object((yield from sent(Request("POST", CONVERSATIONS, json=body), retry))))


def conversation(conversation_id: str, retry: Retry) -> Flow[Conversation]:
    """The conversation as it is now."""
    return Conversation.of(found_object((yield from sent(Request("GET", path(conversation_id)), retry))))


def conversations(query: Mapping[str, Any], retry: Retry) -> Flow[None]:
    """Emit every conversation that matches the query, the one with the newest message first."""
    yield from _paged(CONVERSATIONS, "conversations", Conversation, query, retry)


def messages(conversation_id: str, retry: Retry) -> Flow[None]:
    """Emit every message, newest first."""
    yield from _paged(f"{path(conversation_id)}/messages", "messages", Message, {}, retry)


def exchanged(
    conversation_id: str, what: str, body: Mapping[str, Any] | None, key: str | None, retry: Retry
) -> Flow[Exchange]:
    """Send a message, or what stands for one. Sent again after a lost answer, it is one message."""
    request = Request("POST", f"{path(conversation_id)}/{what}", headers=once(key), json=body)
    return Exchange.of(found_object((yield from sent(request, retry))))


def deleted(conversation_id: str, retry: Retry) -> Flow[None]:
    """Erase a conversation with its messages."""
    yield from erased(path(conversation_id), "conversation_not_found", retry)


def _paged(
    where: str, name: str, of: type[Conversation | Message], query: Mapping[str, Any], retry: Retry
) -> Flow[None]:
    cursor: str | None = ""
    while cursor is not None:
        params = {**query, **({"cursor": cursor} if cursor else {})}
        page = found_object((yield from sent(Request("GET", where, params=params), retry)))
        for each in page[name]:
            yield Emit(of.of(each))
        cursor = page["next_cursor"]
