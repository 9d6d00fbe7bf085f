"""Completes the OpenAPI document: adds what flask-smorest can't read from views and schemas.

`python -m api` prints the document. `api/openapi.json` keeps a copy, from which clients generate code.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

from api.request_bodies import add_bodies, let_be_null, nested_forms, request_of
from api.schemas import events
from api.schemas.kinds.registry import forms
from stemsvc.errors import TABLE
from stemsvc.kinds import registry

BY = ("", ":from-source")  # a kind's path: for a form with a file, and for JSON with a source
METHODS = ("get", "post", "put", "patch", "delete")
PROBLEM = "application/problem+json"
WRITTEN = ("Form", "Request")  # how the schemas of what clients send are named
REQUEST_ID = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
RETRY_AFTER = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
JOB_ID = {
    "in": "path",
    "name": "job_id",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "example": "0f8fad5bd9cb469fa16570867728950e",
}
# Answers that every call can give besides its own.
COMMON = {
    "401": "the request needs a key, or its key is unknown or revoked",
    "403": "the key lacks the scope that this call needs",
    "405": "the path does not take this method",
    "429": "too many requests, or too many jobs; try again after `Retry-After` seconds",
    "500": "a fault of the service; its log has the request's id",
    "503": "a part of the service does not answer; nothing was changed",
}
NEVER_REPLAYED = (
    "/v1/uploads",
    "/v1/workflows",
    "/v1/workflows/{workflow_id}/retry",
    "/v1/webhooks/secrets",
    "/v1/keys",
    "/v1/conversations",
    "/v1/jobs/{job_id}/share",
)
OPEN_CALLS = ("/healthz/live", "/healthz/ready", "/v1/session", "/v1/shared/{token}")
OF_SEPARATIONS = ("residual", "overlap", "shifts", "seed", "precision")
OF_AUDIO = (
    "duration_seconds",
    "frames",
    "sample_rate",
    "channels",
    "clipped_samples",
    "clipped",
    "silent",
    "peak",
    "stem",
    "format",
)
OPTIONAL = {
    "Problem": ("errors",),
    "Signed": ("bytes", "sha256"),
    "BatchItem": ("job", "error", "replayed"),
    "Job": OF_SEPARATIONS,
    "Stem": OF_AUDIO,
    "WorkflowFile": OF_AUDIO,
}
# Forms that are sent as JSON alone. In them null means: left out.
JSON_FORMS = (
    "SourceForm",
    "UploadForm",
    "RotateForm",
    "DrainForm",
    "WorkflowForm",
    "PlanForm",
    "ShareForm",
    "KeyForm",
    "SessionForm",
    "ConversationForm",
    "ConversationPatchForm",
    "MessageForm",
    "ConfirmForm",
)
EXAMPLE_PROBLEM = {
    "type": "http://127.0.0.1:8080/docs/errors#unknown_stem",
    "title": "Unprocessable Entity",
    "status": 422,
    "code": "unknown_stem",
    "detail": "the model has no 'flute'; it has drums, bass, other, vocals",
    "request_id": "9b2e4f7a1c3d4e5f8a6b7c8d9e0f1a2b",
}
SUBMIT = {"source": {"url": "https://example.org/song.mp3"}, "model": "demo", "stems": ["vocals"], "format": "flac"}


def complete(document: dict[str, Any], url: str) -> dict[str, Any]:
    """A copy of the document with all bodies, headers, links, webhooks and examples; `url` is the api's address.

    Generators of clients take one media type of a body, JSON where they may, and take a field with a `default` for one
    that is always sent. So each call has one media type, and a field's default stands in its words.
    """
    document = {**deepcopy(document), "servers": [{"url": url.rstrip("/"), "description": "this service"}]}
    components = document["components"]
    components["headers"] = {
        "RequestId": {"schema": {"type": "string"}, "description": "the request's id, which the logs carry too"},
        "RetryAfter": {"schema": {"type": "integer"}, "description": "seconds to wait before you try again"},
        "Location": {"schema": {"type": "string"}, "description": "path of the job or upload that was made"},
        "Replayed": {
            "schema": {"type": "string", "enum": ["true"]},
            "description": "an earlier request with the same `Idempotency-Key` made this; missing where none did",
        },
    }
    components.pop("responses", None)
    components["schemas"].pop("PaginationMetadata", None)
    _job_bodies(document)
    for path, item in document["paths"].items():
        item.pop("parameters", None)
        for method in METHODS:
            if method in item:
                _operation(path, method, item[method])
    for name, schema in components["schemas"].items():
        if name.endswith(WRITTEN):
            _say_defaults(schema)
        elif "properties" in schema:
            schema.pop("additionalProperties", None)  # a kind may tell more of a file, and a later release of a job
            # a field that may be null is not required: code generators take `required` to mean never null
            schema["required"] = [
                each
                for each, of in schema["properties"].items()
                if each not in OPTIONAL.get(name, ()) and not _nullable(of)
            ]
    _enumerate_codes(components["schemas"])
    components["schemas"]["Problem"]["example"] = EXAMPLE_PROBLEM
    _link(document)
    components["schemas"] |= events.SCHEMAS
    document["webhooks"] = events.webhooks()
    return document


def _say_defaults(schema: dict[str, Any]) -> None:
    """Move each field's default into its description."""
    for of in schema.get("properties", {}).values():
        default = of.pop("default", None)
        if default not in (None, "", [], {}):
            words = f"by default {json.dumps(default).strip(chr(34))}"
            of["description"] = f"{of['description']}; {words}" if "description" in of else words


def _enumerate_codes(schemas: dict[str, Any]) -> None:
    """Name every code: also those of kinds that are installed here."""
    schemas["ErrorCode"] = {"type": "string", "enum": list(TABLE), "description": "stable, for programs"}
    for name in ("Problem", "JobError"):
        schemas[name]["properties"]["code"] = {"$ref": "#/components/schemas/ErrorCode"}


POOL_NAME = {
    "in": "path",
    "name": "name",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 100},
    "description": "a name from `GET /v1/pools`",
    "example": "separate.demo.cpu",
}


IN_PATHS = {
    "{job_id}": JOB_ID,
    "{upload_id}": {**JOB_ID, "name": "upload_id"},
    "{workflow_id}": {**JOB_ID, "name": "workflow_id"},
    "{conversation_id}": {**JOB_ID, "name": "conversation_id"},
    "{name}": POOL_NAME,
    "{delivery_id}": {
        **JOB_ID,
        "name": "delivery_id",
        "schema": {"type": "string", "pattern": "^msg_[0-9a-f]{32}$"},
        "example": "msg_0f8fad5bd9cb469fa16570867728950e",
    },
    "{key_id}": {
        **JOB_ID,
        "name": "key_id",
        "schema": {"type": "string", "pattern": "^[a-z2-9]{10}$"},
        "example": "abcdefghij",
    },
    "{token}": {
        **JOB_ID,
        "name": "token",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{60}$"},
        "description": "the last part of a shared page's address",
        "example": "D4-tW9nLRp-hZXCGcoldDgBqGx2AkJ5fV3m2sT0Yx1cQ8rN4uKo7LzWbEhAa",
    },
    "{secret_id}": {
        **JOB_ID,
        "name": "secret_id",
        "schema": {"type": "integer", "minimum": 1, "maximum": 2**53 - 1},
        "example": 7,
    },
}


def _operation(path: str, method: str, operation: dict[str, Any]) -> None:
    parameters = [each for each in operation.get("parameters", ()) if each.get("in") != "path"]
    parameters = [*(each for place, each in IN_PATHS.items() if place in path), *parameters]
    if parameters:
        operation["parameters"] = parameters
    operation["operationId"] = _name(path, method, operation)
    answers = operation["responses"]
    answers.pop("default", None)
    for status, words in COMMON.items():
        answers.setdefault(status, {"description": words})
    if "requestBody" in operation:
        answers.setdefault("400", {"description": "the body can't be read, or a required part is missing"})
        answers.setdefault("408", {"description": "the body arrived too slowly"})
        answers.setdefault("413", {"description": "the body is too large"})
        answers.setdefault("415", {"description": "the body's media type is not supported"})
    if "requestBody" in operation or any(each["in"] in ("query", "header") for each in parameters):
        answers["422"] = {"description": "the request can't be done; `code` says why, `errors` says it field by field"}
        answers.setdefault("400", {"description": "the request can't be read"})
    for status, answer in answers.items():
        _answer(path, int(status), answer)
    operation["responses"] = dict(sorted(answers.items()))
    operation["security"] = [] if path in OPEN_CALLS else [{"key": []}, {}]


def _answer(path: str, status: int, answer: dict[str, Any]) -> None:
    healthy = path == "/healthz/ready" and status == 503
    if status >= 400 and not healthy:
        answer["content"] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answer["headers"] = {**REQUEST_ID, **(RETRY_AFTER if status in (429, 503) else {})}
    if status == 201:
        answer["headers"] |= {"Location": {"$ref": "#/components/headers/Location"}}
    if (status == 201 and path not in NEVER_REPLAYED) or (path == "/v1/jobs:batch" and status == 200):
        answer["headers"] |= {"Idempotent-Replayed": {"$ref": "#/components/headers/Replayed"}}


def _name(path: str, method: str, operation: dict[str, Any]) -> str:
    """The operationId, a generated client's name for the call: the view's, that of release 0.1, or the path's."""
    names = {
        ("/v1/jobs", "get"): "listJobs",
        ("/v1/jobs:batch", "post"): "submitJobs",
        ("/v1/jobs/{job_id}", "get"): "getJob",
        ("/v1/jobs/{job_id}", "delete"): "deleteJob",
        ("/v1/jobs/{job_id}/cancel", "post"): "cancelJob",
        ("/v1/jobs/{job_id}/events", "get"): "followJob",
        ("/v1/jobs/{job_id}/retry", "post"): "retryJob",
        ("/v1/webhooks/secrets", "get"): "listWebhookSecrets",
        ("/v1/webhooks/secrets", "post"): "rotateWebhookSecret",
        ("/v1/webhooks/secrets/{secret_id}", "delete"): "deleteWebhookSecret",
        ("/v1/webhooks/deliveries", "get"): "listWebhookDeliveries",
        ("/v1/webhooks/deliveries/{delivery_id}", "get"): "getWebhookDelivery",
        ("/v1/webhooks/deliveries/{delivery_id}/replay", "post"): "replayWebhookDelivery",
        ("/v1/webhooks:test", "post"): "testWebhook",
        ("/v1/events", "get"): "followJobs",
        ("/v1/jobs/{job_id}/share", "post"): "shareJob",
        ("/v1/workflows", "get"): "listWorkflows",
        ("/v1/workflows/{workflow_id}", "get"): "getWorkflow",
        ("/v1/workflows/{workflow_id}", "delete"): "deleteWorkflow",
        ("/v1/workflows/{workflow_id}/cancel", "post"): "cancelWorkflow",
        ("/v1/workflows/{workflow_id}/retry", "post"): "retryWorkflow",
        ("/v1/shared/{token}", "get"): "getSharedJob",
        ("/v1/session", "post"): "signIn",
        ("/v1/session", "get"): "getSession",
        ("/v1/session", "delete"): "signOut",
        ("/v1/keys", "get"): "listKeys",
        ("/v1/keys", "post"): "createKey",
        ("/v1/keys/{key_id}", "delete"): "revokeKey",
        ("/v1/limits", "get"): "getLimits",
        ("/v1/failures", "get"): "listFailures",
        ("/v1/usage/series", "get"): "getUsageSeries",
        ("/v1/uploads", "post"): "createUpload",
        ("/v1/uploads/{upload_id}", "delete"): "deleteUpload",
        ("/v1/pools", "get"): "listPools",
        ("/v1/pools/{name}", "get"): "getPool",
        ("/v1/usage", "get"): "getUsage",
        ("/v1/models", "get"): "listModels",
        ("/healthz/live", "get"): "isLive",
        ("/healthz/ready", "get"): "isReady",
    }
    by_path = "".join(part.strip("{}").title() for part in re.split(r"[/:_-]", path) if part)
    return str(operation.get("operationId") or names.get((path, method)) or f"{method}{by_path}")


def _job_bodies(document: dict[str, Any]) -> None:
    """Give each kind two bodies, each in a call of its own: a form with a file and text fields, and JSON with a source
    and typed values.
    """
    schemas = document["components"]["schemas"]
    for kind, form in forms().items():
        add_bodies(schemas, form)
        if registry.get(kind).sourceless:
            del schemas[form.__name__]  # nobody sends it as a form
    schemas["SourceForm"]["description"] = "Where a track is: exactly one of `url`, `upload_id` and `job_id`."
    del schemas["SourceForm"]["properties"]["file"]  # JSON has no parts
    nested = nested_forms()
    for name in (*JSON_FORMS, *nested):
        let_be_null(schemas[name])
    # each job's own result has its errors, so the schema takes any object
    described = {
        "type": "object",
        "description": "a `JobRequest`, and perhaps an `idempotency_key`: what that header is in `POST /v1/jobs`",
    }
    schemas["BatchForm"]["properties"]["jobs"]["items"] = described
    bare = ("/v1/conversations", "/v1/conversations/{conversation_id}/confirm")
    for path in ("/v1/uploads", "/v1/webhooks/secrets", "/v1/jobs/{job_id}/share", *bare):
        document["paths"][path]["post"]["requestBody"]["required"] = False
    conversation = "/v1/conversations/{conversation_id}"
    document["paths"][conversation]["patch"]["requestBody"]["required"] = False
    exported = document["paths"][f"{conversation}/export"]["get"]["responses"]["200"]["content"]
    exported["text/markdown"] = {"schema": {"type": "string"}}
    for name in ("BatchForm", "TestForm", *JSON_FORMS, *nested):
        schemas[name]["additionalProperties"] = False
    calls_of = {"jobs": (None, forms()["separate"]), **{form.path: (kind, form) for kind, form in forms().items()}}
    for path, (named, form) in calls_of.items():
        ref = f"#/components/schemas/{request_of(form.__name__)}"
        example = SUBMIT if form is forms()["separate"] else form.example or {"source": SUBMIT["source"]}
        calls = [document["paths"][f"/v1/{path}{by}"] for by in BY if f"/v1/{path}{by}" in document["paths"]]
        call = calls[-1]["post"]  # of a kind that needs no source: its only one
        call["requestBody"]["content"] = {"application/json": {"schema": {"$ref": ref}, "example": example}}
        if named is not None:
            call["x-kind"] = named  # for programs that offer every kind: this call takes all that a job of it may have


def _nullable(of: dict[str, Any]) -> bool:
    return "null" in of.get("type", ()) or any(each.get("type") == "null" for each in of.get("anyOf", ()))


def _link(document: dict[str, Any]) -> None:
    """Add OpenAPI links: which value of one call's answer is a parameter of another call."""
    paths = document["paths"]
    submits = [f"/v1/{path}{by}" for path in ("jobs", *(form.path for form in forms().values())) for by in BY]
    for path in (*(path for path in submits if path in paths), "/v1/jobs/{job_id}/retry"):
        paths[path]["post"]["responses"]["201"]["links"] = {
            name: {"operationId": name, "parameters": {"job_id": "$response.body#/id"}}
            for name in ("getJob", "cancelJob", "deleteJob")
        }
    paths["/v1/uploads"]["post"]["responses"]["201"]["links"] = {
        "deleteUpload": {"operationId": "deleteUpload", "parameters": {"upload_id": "$response.body#/upload_id"}},
        "submitJobFromSource": {
            "operationId": "submitJobFromSource",
            "requestBody": {"source": {"upload_id": "$response.body#/upload_id"}},
        },
    }
