"""Gives each request an id, which the answer, the job and the logs carry."""

from __future__ import annotations

import math
import re
import shutil
import tempfile
import uuid
from typing import Any

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from stemsvc.errors import BadIdempotencyKey, StorageFull

HEADER = "X-Request-Id"
_KEY = re.compile(r"[!-~]{1,255}")
_ACCEPTED = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def install(app: Flask, min_free_bytes: int) -> None:
    """Give each request an id and return it; a harmless id of the client's is kept. Refuse uploads that don't fit."""

    @app.before_request
    def _take_id() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if _ACCEPTED.fullmatch(given) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.before_request
    def _check_room() -> None:
        # a large upload stays in the folder for temporary files while it arrives
        if request.method in ("POST", "PUT") and request.content_length:
            if request.content_length > (request.max_content_length or math.inf):
                raise RequestEntityTooLarge
            free = shutil.disk_usage(tempfile.gettempdir()).free
            if free < request.content_length + min_free_bytes:
                raise StorageFull(f"{free >> 20} MB are free for uploads")

    @app.after_request
    def _return_id(response: Response) -> Response:
        response.headers[HEADER] = request_id()
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def idempotency_key() -> str | None:
    """The client's own name for this request, or None. Raises `UsageError` `bad_idempotency_key`."""
    key = request.headers.get("Idempotency-Key")
    return None if key is None else checked_key(key)


def checked_key(key: Any) -> str:
    """The key, if it is one. Raises `UsageError` `bad_idempotency_key`."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise BadIdempotencyKey("an Idempotency-Key has 1 to 255 visible ASCII characters")
    return key


def request_id() -> str:
    """The id of the request being handled."""
    return str(g.get("request_id", ""))
