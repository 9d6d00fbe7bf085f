"""`/v1/uploads`: files that clients send straight to storage, before the job that names them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from flask import request, url_for

from api.edge.auth import caller
from api.edge.bodies import BodyBlueprint
from api.edge.request_id import idempotency_key
from api.schemas.answers import ProblemSchema
from api.schemas.forms import UploadForm
from api.schemas.uploads import UploadSchema
from api.services import services
from stemsvc.accounts.keys import Scope
from stemsvc.errors import FileTooLarge
from stemsvc.jobs.filenames import clean_filename
from stemsvc.jobstore.uploads import Upload

URL_SECONDS = 3600  # to start sending; the upload itself lasts longer

blueprint = BodyBlueprint(
    "uploads", __name__, url_prefix="/v1/uploads", description="Send large tracks straight to storage"
)


@blueprint.route("", methods=["POST"])
@blueprint.arguments(UploadForm, example={"filename": "song.flac", "bytes": 31457280})
@blueprint.response(201, UploadSchema)
@blueprint.alt_response(413, schema=ProblemSchema, description="the file is too large")
@blueprint.alt_response(429, schema=ProblemSchema, description="too many uploads are open, or the key stores too much")
def announce(form: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Ask for a URL to send a track to

    PUT the file's bytes to `url` with the `headers`, then name `upload_id` in the `source` of one or more jobs. The
    URL takes bytes until `expires_at`, for an hour. The file stays until `kept_until`, for a day. Once the upload is
    deleted, its URL takes none. A request that is sent again with the same `Idempotency-Key` header gets the upload
    that it made the first time, with a new URL.

    With `parts` the file may come in `parts`, each to a URL of its own, in any order. An upload that was cut goes on:
    the same request with the same `Idempotency-Key` gets the parts that have not come yet. Once all are there, jobs
    may name the upload.
    """
    who, settings = caller(Scope.SUBMIT), services().settings
    size = form["bytes"]
    if size is not None and size > settings.max_upload_bytes:
        raise FileTooLarge(f"the file has {size} bytes; the limit is {settings.max_upload_bytes}")
    upload = services().uploads.announce(
        clean_filename(form["filename"]),
        settings.max_upload_bytes,
        who.owner,
        settings.upload_ttl_seconds,
        settings.max_uploads_per_key,
        size,
        idempotency_key(),
        form["parts"],
    )
    seconds = int(min(URL_SECONDS, settings.upload_ttl_seconds))
    put = services().storage.signed_put(upload.key, seconds, upload.max_bytes, size)
    body = {
        "upload_id": upload.id,
        "method": "PUT",
        "url": urljoin(request.host_url, put.url),
        "headers": put.headers,
        "parts": _parts(upload, seconds),
        "expires_at": datetime.fromtimestamp(int(time.time()) + seconds, UTC),
        "kept_until": datetime.fromtimestamp(upload.expires_at, UTC),
        "max_bytes": upload.max_bytes,
    }
    return body, 201, {"Location": url_for("uploads.erase", upload_id=upload.id)}


def _parts(upload: Upload, seconds: int) -> list[dict[str, Any]] | None:
    if not upload.part_bytes:
        return None
    return [
        {
            "number": part.number,
            "offset": (part.number - 1) * upload.part_bytes,
            "bytes": part.bytes,
            "url": urljoin(request.host_url, part.place.url),
            "headers": part.place.headers,
        }
        for part in services().uploads.lacking(upload, seconds)
    ]


@blueprint.route("/<string:upload_id>", methods=["DELETE"])
@blueprint.response(204)
@blueprint.alt_response(404, schema=ProblemSchema, description="no such upload")
def erase(upload_id: str) -> None:
    """Delete an upload

    Its file is deleted. Jobs that named it keep their own copy.
    """
    services().uploads.erase(upload_id, caller(Scope.SUBMIT).sees)
