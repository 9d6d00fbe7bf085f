"""Answers every error with problem+json (RFC 9457) and a stable code: ours, werkzeug's and marshmallow's."""

from __future__ import annotations

import math
from typing import Any

from flask import Flask, Response, current_app, json, request
from werkzeug.exceptions import HTTPException

from api.edge.problem_types import ProblemTypes
from api.edge.request_id import request_id
from stemsvc.errors import (
    AcceptanceUnknown,
    BadRequest,
    FatalError,
    FileTooLarge,
    InvalidFields,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    RequestedRangeNotSatisfiable,
    RequestTimeout,
    StemsvcError,
    StorageFull,
    TransientError,
    Unauthorized,
    UnsupportedMediaType,
    UsageError,
)
from stemsvc.observe.loggers import get_logger

log = get_logger()

READ_ON_BYTES = 64 * 1024 * 1024

UNANSWERED = "a part of the service does not answer; try again"
# A vendor's message shows how the service is built: it is logged, and the client gets these words instead.
DETAILS: dict[type[StemsvcError], str] = {
    StorageFull: "the service has too little disk space left to take a job; try again later",
    AcceptanceUnknown: "the job may or may not be accepted; with the same Idempotency-Key it is safe to send it again",
}
BY_STATUS: dict[int, type[StemsvcError]] = {
    400: BadRequest,
    401: Unauthorized,
    404: NotFound,
    405: MethodNotAllowed,
    408: RequestTimeout,
    413: FileTooLarge,
    415: UnsupportedMediaType,
    416: RequestedRangeNotSatisfiable,
    422: InvalidFields,
    429: RateLimited,
}


def problem(status: int, title: str, code: str, detail: str, **extra: Any) -> Response:
    """A problem+json response."""
    text = json.dumps(_body(status, title, code, detail, **extra))
    return Response(text, status=status, content_type="application/problem+json")


def problem_of(error: StemsvcError | HTTPException) -> Response:
    """The answer to an error. Details for the operator alone go to the log."""
    return _from_http(error) if isinstance(error, HTTPException) else _from_ours(error)


def _body(status: int, title: str, code: str, detail: str, **extra: Any) -> dict[str, Any]:
    types: ProblemTypes = current_app.extensions["problem_types"]
    address = types.address(code, request.host_url)
    body = {"type": address, "title": title, "status": status, "code": code, "detail": detail, **extra}
    return {**body, "request_id": request_id()}


def install(app: Flask) -> None:
    """Answer every failure of a view with a problem."""
    app.extensions["problem_types"] = ProblemTypes.of(app.extensions["stemsvc"].settings)
    app.register_error_handler(HTTPException, _from_http)
    app.register_error_handler(StemsvcError, _from_ours)
    app.register_error_handler(Exception, _from_bug)


def _from_ours(error: StemsvcError) -> Response:
    if isinstance(error, UsageError):
        status = error.status or 422
        return problem(status, _title(status), error.code, error.detail)
    if isinstance(error, TransientError):
        return _from_transient(error)
    log.error("request failed", code=error.code, detail=error.detail)
    assert isinstance(error, FatalError)
    return problem(500, "Internal Server Error", error.code, "the service is not set up right; its log says more")


def _from_transient(error: TransientError) -> Response:
    if error.status == 429:  # the client must slow down
        log.warning("request refused", code=error.code, detail=error.detail)
        response = problem(429, "Too Many Requests", error.code, error.detail)
    else:
        log.error("request failed", code=error.code, detail=error.detail)
        response = problem(503, "Service Unavailable", error.code, DETAILS.get(type(error), UNANSWERED))
    response.headers["Retry-After"] = str(math.ceil(error.retry_after or 5.0))
    return response


def _from_http(error: HTTPException) -> Response:
    status = error.code or 500
    if status == 413:
        _read_on()
    data = getattr(error, "data", None) or {}
    closing = {"Connection": "close"} if status == 408 else {}  # the rest of its body is not read
    messages = data.get("messages")
    known = BY_STATUS.get(status)
    code = known.code if known else _title(status).lower().replace(" ", "_")
    if messages:
        flat = _flatten(messages)
        detail = "; ".join(f"{name}: {text}" for name, text in flat.items())
        response = problem(status, _title(status), code, detail, errors=flat)
    else:
        response = problem(status, _title(status), code, error.description or _title(status))
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    response.headers.update(closing)
    return response


def _from_bug(error: Exception) -> Response:
    log.exception("unexpected error")
    return problem(500, "Internal Server Error", "internal_error", "the fault is ours; the log has this request's id")


def _read_on() -> None:
    """Read `READ_ON_BYTES` more of a refused body: a client that is cut off while it sends never reads the answer."""
    left = READ_ON_BYTES
    body = request.environ["wsgi.input"]
    while left > 0 and (part := body.read(1 << 16)):
        left -= len(part)


def _flatten(messages: Any) -> dict[str, str]:
    """marshmallow's {location: {field: [text]}} as {field: text}."""
    flat: dict[str, str] = {}
    for by_field in messages.values():
        for name, texts in by_field.items() if isinstance(by_field, dict) else [("body", by_field)]:
            flat[str(name)] = " ".join(map(str, texts)) if isinstance(texts, list) else str(texts)
    return flat


def _title(status: int) -> str:
    from werkzeug.http import HTTP_STATUS_CODES

    return HTTP_STATUS_CODES.get(status, "Error").title()
