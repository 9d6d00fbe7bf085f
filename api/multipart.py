"""One schema over a multipart body: its form fields and its files together."""

from __future__ import annotations

import os
from typing import ClassVar

from flask import Request, request
from flask_smorest import Blueprint
from marshmallow import Schema
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import CombinedMultiDict

from stemsvc.errors import UsageError
from stemsvc.names import clean_filename
from stemsvc.reception import Upload


class _Parser(FlaskParser):
    DEFAULT_VALIDATION_STATUS = 422

    def load_multipart(self, req: Request, schema: Schema) -> MultiDictProxy:
        """Form fields and files as one mapping."""
        return MultiDictProxy(CombinedMultiDict([req.form, req.files]), schema)


_Parser.__location_map__ = {**FlaskParser.__location_map__, "multipart": "load_multipart"}


class MultipartBlueprint(Blueprint):
    """A blueprint whose views can take `location="multipart"`."""

    ARGUMENTS_PARSER = _Parser()
    DEFAULT_LOCATION_CONTENT_TYPE_MAPPING: ClassVar[dict[str, str]] = {
        **Blueprint.DEFAULT_LOCATION_CONTENT_TYPE_MAPPING,
        "multipart": "multipart/form-data",
    }


def the_upload(max_bytes: int) -> Upload:
    """The request's one file.

    Raises `UsageError` `missing_file`, `too_many_files`, `empty_file` or `file_too_large`.
    """
    files = request.files.getlist("file")
    if not files:
        raise UsageError("missing_file", "send the track as the multipart field `file`")
    if len(files) > 1:
        raise UsageError("too_many_files", f"one track a job; this request has {len(files)}")
    stream = files[0].stream
    size = stream.seek(0, os.SEEK_END)
    if size == 0:
        raise UsageError("empty_file", "the file has no bytes")
    if size > max_bytes:
        raise UsageError("file_too_large", f"the file has {size} bytes; at most {max_bytes} are taken")
    stream.seek(0)
    return Upload(stream, clean_filename(files[0].filename or ""))  # type: ignore[arg-type]
