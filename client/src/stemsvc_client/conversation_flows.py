"""What a client can do with conversations; `Flows` has these methods too."""

from __future__ import annotations

from typing import Any

from stemsvc_client import conversation_calls as calls
from stemsvc_client.conversation_results import Conversation, Exchange, Message
from stemsvc_client.following import followed
from stemsvc_client.results import Event
from stemsvc_client.retries import Retry
from stemsvc_client.several import Sending, Source
from stemsvc_client.steps import Emit, Emitting, Flow


class ConversationFlows:
    """The calls about conversations. A song is a file's path, a link, a job, or what the service takes as a source."""

    _retry: Retry

    def start_conversation(
        self, /, *, name: str = "", auto_run: bool = False, song: Source | None = None
    ) -> Flow[Conversation]:
        """Begin a conversation, about a song if there is one. With `auto_run` each plan runs at once."""
        source = {} if song is None else {"source": (yield from Sending(self._retry).named(song))}
        body = {**({"name": name} if name else {}), "auto_run": auto_run, **source}
        found: Conversation = yield from calls.begun(body, self._retry)
        return found

    def say(
        self,
        conversation_id: str,
        text: str,
        *,
        auto_run: bool | None = None,
        song: Source | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[Exchange]:
        """Send a message; returns it with its reply. `song` is what is spoken of from now on."""
        body: dict[str, Any] = {"text": text, **({} if auto_run is None else {"auto_run": auto_run})}
        if song is not None:
            body["source"] = yield from Sending(self._retry).named(song)
        found: Exchange = yield from calls.exchanged(conversation_id, "messages", body, idempotency_key, self._retry)
        return found

    def confirm_plan(self, conversation_id: str, message: int | None = None) -> Flow[Exchange]:
        """Run the plan that the message of this number proposes; without one, the plan that waits. Twice is once."""
        body = {} if message is None else {"message": message}
        return calls.exchanged(conversation_id, "confirm", body, None, self._retry)

    def undo_version(self, conversation_id: str, idempotency_key: str | None = None) -> Flow[Exchange]:
        """Drop the plan that waits, else go to the version before."""
        return calls.exchanged(conversation_id, "undo", None, idempotency_key, self._retry)

    def regenerate(self, conversation_id: str, idempotency_key: str | None = None) -> Flow[Exchange]:
        """Ask for the piece once more, made anew by another seed."""
        return calls.exchanged(conversation_id, "regenerate", None, idempotency_key, self._retry)

    def conversation(self, conversation_id: str) -> Flow[Conversation]:
        """The conversation as it is now."""
        return calls.conversation(conversation_id, self._retry)

    def conversations(self, /, **query: Any) -> Emitting[Conversation]:
        """Every conversation of yours, the one with the newest message first; `q` is words to look for."""
        return Emitting(calls.conversations(query, self._retry))

    def messages(self, conversation_id: str) -> Emitting[Message]:
        """Every message of a conversation, newest first."""
        return Emitting(calls.messages(conversation_id, self._retry))

    def follow_conversation(self, conversation_id: str) -> Emitting[Event]:
        """What happens in a conversation, as it happens. A stream that breaks is opened again and misses no message."""
        what = f"conversation {conversation_id}"
        return Emitting(followed(f"{calls.path(conversation_id)}/events", what, _emitted, self._retry))

    def delete_conversation(self, conversation_id: str) -> Flow[None]:
        """Erase a conversation with its messages; the workflows that it made stay."""
        return calls.deleted(conversation_id, self._retry)


def _emitted(event: Event) -> Flow[None]:
    yield Emit(event)
