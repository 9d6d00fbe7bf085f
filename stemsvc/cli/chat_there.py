"""A conversation at a service: messages go there, what they make is followed, its files are saved."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stemsvc.cli.run_files import RunResult
from stemsvc.cli.run_there import Far
from stemsvc.errors import ConversationNotFound

CONVERSATIONS = "/v1/conversations"
Answer = dict[str, Any]


class Talk:
    """One conversation of a service. Raises the client's errors."""

    def __init__(self, far: Far, conversation_id: str) -> None:
        self._far = far
        self.id = conversation_id
        self._path = f"{CONVERSATIONS}/{quote(conversation_id, safe='')}"

    @classmethod
    def begin(cls, far: Far, song: str | None) -> Talk:
        """A new conversation, about a song if one is given."""
        body = {"source": far.source(song)} if song else {}
        return cls(far, far.asked("POST", CONVERSATIONS, json=body)["id"])

    @classmethod
    def last(cls, far: Far) -> Talk:
        """The conversation with the newest message. Raises `UsageError` `conversation_not_found`."""
        found = far.asked("GET", CONVERSATIONS, params={"limit": "1"})["conversations"]
        if not found:
            raise ConversationNotFound("there is no conversation yet")
        return cls(far, found[0]["id"])

    def say(self, text: str, run: bool, song: str | None = None) -> Answer:
        """The answer to a message. It is one message, however often it must be sent."""
        body: dict[str, Any] = {"text": text, **({"auto_run": True} if run else {})}
        if song:
            body["source"] = self._far.source(song)
        own = {"Idempotency-Key": uuid.uuid4().hex}
        return self._far.asked("POST", f"{self._path}/messages", json=body, headers=own)

    def finish(self, reply: Mapping[str, Any], output: Path | None) -> RunResult | None:
        """Follow what a reply has begun to its end, and save its files; None where it has begun nothing."""
        begun = (reply["workflow"] or {}).get("state") == "running" or output is not None
        if reply["workflow"] is None or not begun:
            return None
        workflow = self._far.follow(self._far.workflow(reply["workflow_id"]))
        if output is not None:
            return self._far.save(workflow, output)
        jobs = [job for step in workflow["steps"] for job in step["jobs"]]
        errors = {job["step"]: job["error"] for job in jobs if job.get("error")}
        facts = {job["step"]: job["facts"] for job in jobs if job.get("facts")}
        return RunResult(workflow["state"], {}, facts, {}, errors, workflow["id"])
