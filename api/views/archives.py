"""`/v1/files/archives`: a job's files as one zip, from any storage, for anyone who has the signed URL."""

from __future__ import annotations

from typing import IO, cast

from flask import Blueprint, Response, request
from werkzeug.wsgi import FileWrapper

from api.edge.concurrency import gate
from api.services import services
from api.views.files import check_dates, number
from stemsvc.control.archive import open_zip
from stemsvc.errors import ObjectMissing
from stemsvc.jobs.filenames import archive_filename
from stemsvc.storage.disposition import attachment
from stemsvc.storage.signing import ARCHIVES, ROUTE

BLOCK = 64 * 1024  # that a client must take within the connection's time limit

blueprint = Blueprint("archives", __name__)


@blueprint.get(f"{ROUTE}{ARCHIVES}<string:job_id>")
def download(job_id: str) -> Response:
    """Send the zip; `files` picks some. Ranges and conditional requests work."""
    services().signer.check_archive(job_id, number("expires"), request.args.get("signature", ""))
    check_dates()
    job = services().store.get(job_id)
    if job is None:
        raise ObjectMissing("the files behind this URL are gone")
    names = [name.strip() for given in request.args.getlist("files") for name in given.split(",")]
    zipped = open_zip(job, services().storage, list(filter(None, names)))
    # werkzeug's own wrapper, for gunicorn's can't seek to where a range begins
    body = FileWrapper(cast(IO[bytes], zipped), BLOCK)
    response = Response(body, mimetype="application/zip")  # without direct_passthrough, which calls nothing on close
    response.content_length = zipped.size
    response.headers["Content-Disposition"] = attachment(archive_filename(job))
    response.set_etag(zipped.digest)
    response.make_conditional(request.environ, accept_ranges=True, complete_length=zipped.size)
    response.call_on_close(gate().hold_archive().release)
    return response
