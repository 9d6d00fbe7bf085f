"""Finds the error of a code, and of an answer."""

from __future__ import annotations

import json
from typing import Any

from stemsvc_client import codes
from stemsvc_client.errors import FatalError, StemsvcError, TransientError, UsageError
from stemsvc_client.messages import Answer

TABLE = {each.code: each for each in vars(codes).values() if isinstance(each, type) and issubclass(each, StemsvcError)}
KINDS: dict[str, type[StemsvcError]] = {each.kind: each for each in (UsageError, TransientError, FatalError)}
AGAIN = (408, 425, 429, 502, 503, 504)  # HTTP statuses after which the same request may succeed


def error_of(code: str, detail: str, kind: str = "fatal") -> StemsvcError:
    """The error with that code; one of the kind `kind` where this release does not know the code."""
    error = TABLE.get(code, KINDS.get(kind, FatalError))(detail)
    error.code = code
    return error


def failure(answer: Answer) -> StemsvcError | None:
    """What an answer says is wrong; None for an answer that says that all is well."""
    if answer.status < 400:
        return None
    body = _problem(answer.body)
    # a 500 without a code is a storage's or a proxy's, and S3 wants it sent again (`InternalError`)
    again = answer.status in AGAIN or (answer.status == 500 and "code" not in body)
    kind = "transient" if again else "usage" if answer.status < 500 else "fatal"
    code = str(body.get("code") or f"http_{answer.status}")
    error = error_of(code, str(body.get("detail") or body.get("title") or f"the answer is {answer.status}"), kind)
    error.status = answer.status
    error.request_id = body.get("request_id") or answer.headers.get("x-request-id")
    error.retry_after = answer.retry_after
    fields = body.get("errors")
    error.errors = fields if isinstance(fields, dict) else {}
    return error


def _problem(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:  # an answer of a proxy or of a storage
        return {}
    return found if isinstance(found, dict) else {}
