"""Reads request bodies by one schema: a multipart form with a file, or JSON that names a source."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import Any, ClassVar

from flask import Request, current_app, request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError, missing
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from api.edge.plain_json import NotPlain, read_json
from stemsvc.control.sources import SentFile
from stemsvc.errors import EmptyFile, FileTooLarge, MissingFile, TooManyFiles
from stemsvc.jobs.filenames import clean_filename

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
FIELDS_LIMIT = 1024 * 1024  # bytes of JSON, or of a form's fields besides the file and the multipart framing


class _Parser(FlaskParser):
    DEFAULT_VALIDATION_STATUS = 422

    def load_job(self, req: Request, schema: Schema) -> Any:
        """Form fields and files as one mapping, or the JSON body."""
        if req.is_json:
            return self.load_source(req, schema)
        if req.mimetype not in FORMS and (req.mimetype or req.content_length):
            raise UnsupportedMediaType("send multipart/form-data with a file, or application/json with a source")
        several = getattr(schema, "several", False)
        if "source" in req.form and not several:
            raise ValidationError({"source": ["send a source in a JSON body"]})
        if sum(1 for _ in req.form.items(multi=True)) > current_app.config["MAX_FORM_PARTS"]:
            raise RequestEntityTooLarge("the form has too many fields")  # werkzeug counts those of multipart forms
        files: MultiDict[str, Any] = req.files
        if several:  # sources name the parts that are no field; `check_parts` finds those that no source names
            files = MultiDict((name, file) for name, file in files.items(multi=True) if name in schema.load_fields)
        # one mapping, not a view of two: the schema asks for each of its fields, and a form has few of them
        both: MultiDict[str, Any] = MultiDict([*req.form.items(multi=True), *files.items(multi=True)])
        return MultiDictProxy(both, schema)

    def load_source(self, req: Request, schema: Schema) -> Any:
        """The JSON body, which has no file."""
        body = self.load_json(req, schema)
        if isinstance(body, dict) and "file" in body:
            raise ValidationError({"file": ["send a file in a multipart form"]})
        return body

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The JSON body."""
        if not req.is_json and (req.mimetype or req.content_length):
            raise UnsupportedMediaType("send application/json")
        return super().load_json(req, schema)

    def _raw_load_json(self, req: Request) -> Any:
        if not req.is_json:
            return missing
        try:
            return read_json(req.get_data(cache=True).decode())
        except NotPlain as error:
            raise BadRequest(f"the JSON can't be taken: {error}") from error


_Parser.__location_map__ = {
    **FlaskParser.__location_map__,
    "job": "load_job",
    "source": "load_source",
    "workflow": "load_job",
}


class BodyBlueprint(Blueprint):
    """A blueprint whose views can take `location="job"`, `"source"` or `"workflow"`: either body, described as JSON."""

    ARGUMENTS_PARSER = _Parser()
    DEFAULT_LOCATION_CONTENT_TYPE_MAPPING: ClassVar[dict[str, str]] = {
        **Blueprint.DEFAULT_LOCATION_CONTENT_TYPE_MAPPING,
        "job": "multipart/form-data",
        "source": "application/json",
        "workflow": "application/json",
    }

    def arguments(self, schema: type[Schema], **kwargs: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """smorest's decorator, with one schema for all requests: to make one copies each of its fields."""
        made: Callable[[Callable[..., Any]], Callable[..., Any]] = super().arguments(schema(), **kwargs)
        return made


def the_file(max_bytes: int, part: str = "file", role: str = "source") -> SentFile:
    """The file of that part of the request, for an input of that role.

    Raises `UsageError` `missing_file`, `too_many_files`, `empty_file` or `file_too_large`.
    """
    files = request.files.getlist(part)
    if not files and part != "file":
        raise MissingFile(f"the request has no file in a part named {part!r}")
    if not files:
        raise MissingFile("send the track as the multipart field `file`, or JSON with a `source`")
    if len(files) > 1:
        raise TooManyFiles(f"a job has one track; this request has {len(files)} files")
    stream = files[0].stream
    size = stream.seek(0, os.SEEK_END)
    if size == 0:
        raise EmptyFile("the file has no bytes")
    if size > max_bytes:
        raise FileTooLarge(f"the file has {size} bytes; the limit is {max_bytes}")
    stream.seek(0)
    return SentFile(stream, clean_filename(files[0].filename or ""), role=role)  # type: ignore[arg-type]


def check_parts(named: Collection[str]) -> None:
    """Raise `UsageError` `too_many_files` for a file in a part that no source has named."""
    if unnamed := set(request.files) - set(named):
        raise TooManyFiles(f"no source names the file in the part {min(unnamed)!r}")
