"""`/v1/files`: objects of the local storage, for whoever holds a signed URL. S3 serves its own."""

from __future__ import annotations

from flask import Blueprint, Response, request, send_file

from api.services import services
from stemsvc.errors import UsageError
from stemsvc.storage.local import ROUTE, LocalStorage, SignedQuery

blueprint = Blueprint("files", __name__)


@blueprint.get(f"{ROUTE}<path:key>")
def download(key: str) -> Response:
    """Send the object; ranges and conditional requests work."""
    storage = services().storage
    if not isinstance(storage, LocalStorage):
        raise UsageError("object_missing", "this service keeps its files elsewhere")
    query = request.args
    try:
        expires = int(query.get("expires", ""))
    except ValueError:
        raise UsageError("url_invalid", "this URL is not signed") from None
    signed = SignedQuery(expires, query.get("filename", ""), query.get("type", ""), query.get("signature", ""))
    path = storage.resolve(key, signed)
    return send_file(
        path, mimetype=signed.content_type, as_attachment=True, download_name=signed.filename, conditional=True
    )
