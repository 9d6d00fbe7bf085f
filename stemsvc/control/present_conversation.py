"""A conversation and its messages as clients see them, in answers and in streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stemsvc.assistants.chat.memory import remembered
from stemsvc.assistants.chat.providers.provider import RULES
from stemsvc.assistants.chat.replies import summary
from stemsvc.control.present import moment
from stemsvc.control.present_workflow import workflow_event
from stemsvc.jobstore.conversations import Conversation, Message
from stemsvc.jobstore.workflows import Workflows

MARKS = {"user": "**You**", "assistant": "**stemsvc**"}


def conversation_summary(conversation: Conversation) -> dict[str, Any]:
    """The fields of `ConversationSummarySchema`; moments are datetimes."""
    return {
        "id": conversation.id,
        "name": conversation.name,
        "auto_run": conversation.auto_run,
        "messages": conversation.messages,
        "created_at": moment(conversation.created_at),
        "updated_at": moment(conversation.updated_at),
    }


def conversation_body(conversation: Conversation, providers: Sequence[str]) -> dict[str, Any]:
    """The fields of `ConversationSchema`; `providers` answer its messages."""
    memory = remembered(conversation.state)
    versions = [
        {"version": place + 1, "summary": summary(project, memory.german), "workflow_id": memory.workflows[place]}
        for place, project in enumerate(memory.context.versions)
    ]
    return {
        **conversation_summary(conversation),
        "source": memory.context.song,
        "versions": versions,
        "version": memory.context.at + 1 if memory.context.at >= 0 else None,
        "plan": memory.card,
        "providers": list(providers),
    }


def message_bodies(workflows: Workflows, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The fields of `MessageSchema` of each, with how its workflow stands now."""
    told = standings(workflows, {each.workflow_id for each in messages if each.workflow_id})
    return [message_body(each, told) for each in messages]


def message_body(message: Message, workflows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of `MessageSchema`; `workflows` says by id how they stand."""
    body = message.body
    return {
        "number": message.number,
        "role": message.role,
        "kind": message.kind,
        "text": message.text,
        "created_at": moment(message.created_at),
        "version": body.get("version"),
        "workflow_id": message.workflow_id,
        "workflow": workflows.get(message.workflow_id or ""),
        "state": body.get("state"),
        "summary": body.get("summary"),
        "plan": body.get("plan"),
        "forecast": body.get("forecast"),
        "actions": body.get("actions", []),
        "compared": body.get("compared", []),
        "problem": body.get("problem"),
        "writing": bool(body.get("writing")),
        "provider": body.get("provider", RULES) if message.role == "assistant" and not body.get("writing") else None,
        "model": body.get("model"),
        "tokens": body.get("tokens"),
        "cost": body.get("cost"),
        "notice": body.get("notice"),
    }


def standings(workflows: Workflows, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """How these workflows stand, by id; those that are gone are left out."""
    found = workflows.standings(set(ids))
    return {each.workflow.id: workflow_event(each) for each in found}


def as_markdown(conversation: Conversation, messages: Sequence[Message]) -> str:
    """The conversation as a text to keep."""
    lines = [f"# {conversation.name or 'Conversation'}"]
    for each in messages:
        at = moment(each.created_at)
        lines.append(f"{MARKS[each.role]}, {at:%Y-%m-%d %H:%M:%S} UTC\n\n{each.text}")
        if each.workflow_id and each.body.get("version"):
            lines.append(f"Version {each.body['version']}: workflow `{each.workflow_id}`")
    return "\n\n".join(lines) + "\n"
