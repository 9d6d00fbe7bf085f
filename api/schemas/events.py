"""What the service sends to a receiver of webhooks: an event about a job, or a test. Described as OpenAPI 3.1 does."""

from __future__ import annotations

import re
from typing import Any

from stemsvc.accounts.webhooks import TEST, EventType, WorkflowEventType

SIGNED = {
    "webhook-id": "the delivery's id, which is the same at each try",
    "webhook-timestamp": "when this try was made, in seconds since 1970",
    "webhook-signature": "signatures by Standard Webhooks, one for each valid secret, separated by spaces",
}


def _event(types: list[str], data: dict[str, Any], words: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": words,
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "enum": types},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": data,
        },
    }


SCHEMAS = {
    "JobEvent": _event(
        [str(each) for each in EventType],
        {"$ref": "#/components/schemas/Job"},
        "What happened to a job, and the job as it is when this is sent.",
    ),
    "WorkflowEvent": _event(
        [str(each) for each in WorkflowEventType],
        {"$ref": "#/components/schemas/Workflow"},
        "The end of a workflow, and the workflow as it is when this is sent.",
    ),
    "TestEvent": _event(
        [TEST],
        {"type": "object", "required": ["url"], "properties": {"url": {"type": "string"}}},
        "What `POST /v1/webhooks:test` sends.",
    ),
}


def webhooks() -> dict[str, Any]:
    """Each event's request, by the event's type."""
    events = {str(each): _webhook(str(each), "JobEvent", f"A job's webhook: `{each}`") for each in EventType}
    for each in WorkflowEventType:
        events[str(each)] = _webhook(str(each), "WorkflowEvent", f"A workflow's webhook: `{each}`")
    return {**events, TEST: _webhook(TEST, "TestEvent", "A test of a receiver")}


def _webhook(name: str, schema: str, summary: str) -> dict[str, Any]:
    parameters = [
        {"in": "header", "name": header, "required": True, "schema": {"type": "string"}, "description": words}
        for header, words in SIGNED.items()
    ]
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "post": {
            "operationId": "on" + "".join(part.title() for part in re.split(r"[._]", name)),
            "summary": summary,
            "description": "It goes to the URL that the client named. Answer within 15 s.",
            "tags": ["webhooks"],
            "security": [],
            "parameters": parameters,
            "requestBody": {"required": True, "content": content},
            "responses": {
                "200": {"description": "taken; any 2xx is. All else but 410 is tried again"},
                "410": {"description": "not wanted any more: this webhook is not tried again"},
            },
        }
    }
