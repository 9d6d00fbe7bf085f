"""Reads multipart forms with werkzeug's decoder, without compiling patterns for each request.

Each client's boundary is another one, and werkzeug compiles two patterns of it. That takes longer than to read a form
of a few fields. Here one pattern, which has no boundary in it, judges what follows a boundary that was found as bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser, MultiPartParser
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

PART_BYTES = 64 * 1024  # read at a time
_ANY = b"boundary"  # what werkzeug compiles its patterns of, once
# After a boundary: dashes and maybe the line's end, or the line's end. Line ends may be any, as werkzeug takes them.
_TAIL = re.compile(rb"(--[^\S\r\n]*(?:\r\n|\r|\n)?|[^\S\r\n]*(?:\r\n|\r|\n))")
Parsed = tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]


@dataclass(frozen=True)
class _Found:
    """Where a boundary begins and ends in the bytes, and what follows it: what werkzeug asks a match for."""

    begin: int
    stop: int
    tail: bytes

    def start(self) -> int:
        """Where the line break before it begins."""
        return self.begin

    def end(self) -> int:
        """Where its line ends."""
        return self.stop

    def group(self, number: int) -> bytes:
        """What follows it in its line."""
        return self.tail


class _Boundary:
    """Finds a boundary that is a line of its own; with `first` it may lack the line break before it."""

    def __init__(self, boundary: bytes, *, first: bool) -> None:
        self._line = b"--" + boundary
        self._first = first

    def search(self, data: bytes | bytearray, start: int = 0) -> _Found | None:
        """The first one at or after `start`; None where there is none, or its line has not come to its end."""
        at = data.find(self._line, start)
        while at >= 0:
            tail = _TAIL.match(data, at + len(self._line))
            before = _line_break(data, start, at)
            if tail and (before or self._first):
                return _Found(at - before, tail.end(), tail[1])
            at = data.find(self._line, at + 1)
        return None


def _line_break(data: bytes | bytearray, start: int, end: int) -> int:
    """How many bytes the line break that ends at `end` has; 0 where there is none after `start`."""
    before = data[max(start, end - 2) : end]
    if before == b"\r\n":
        return 2
    return int(before.endswith((b"\r", b"\n")))


class _Decoder(MultipartDecoder):
    """werkzeug's decoder, which searches for this boundary without a pattern of its own."""

    def __init__(self, boundary: bytes, most_bytes: int | None, most_parts: int | None) -> None:
        super().__init__(_ANY, most_bytes, max_parts=most_parts)
        self.boundary = boundary
        self.preamble_re: Any = _Boundary(boundary, first=True)
        self.boundary_re: Any = _Boundary(boundary, first=False)

    def events(self, stream: IO[bytes]) -> Iterator[Event]:
        """What the stream has, in its order. Raises `ValueError` for what is no form."""
        whole = False
        while not whole:
            data = stream.read(PART_BYTES)
            whole = not data
            self.receive_data(data or None)
            while not isinstance(event := self.next_event(), Epilogue | NeedData):
                yield event


class FormParser(FormDataParser):
    """werkzeug's parser of forms, with our reading of multipart forms."""

    def parse(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> Parsed:
        """The stream, the fields and the files. A form that can't be read has none, as werkzeug has it."""
        if mimetype != "multipart/form-data":
            return super().parse(stream, mimetype, content_length, options)
        try:
            boundary = (options or {}).get("boundary", "").encode("ascii")
            if not boundary:
                raise ValueError("a form without a boundary")
            return stream, *self._read(stream, boundary, content_length)
        except ValueError:
            if not self.silent:
                raise
            return stream, self.cls(), self.cls()

    def _read(
        self, stream: IO[bytes], boundary: bytes, length: int | None
    ) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
        parts = MultiPartParser(self.stream_factory, self.max_form_memory_size, self.cls)
        fields: list[tuple[str, str]] = []
        files: list[tuple[str, FileStorage]] = []
        part: Field | File | None = None
        text = bytearray()
        file: IO[bytes] | None = None
        for event in _Decoder(boundary, self.max_form_memory_size, self.max_form_parts).events(stream):
            if isinstance(event, Field):
                part, file, text = event, None, bytearray()
            elif isinstance(event, File):
                part, file = event, parts.start_file_streaming(event, length)
            elif isinstance(event, Data) and isinstance(part, File) and file is not None:
                file.write(event.data)
                if not event.more_data:
                    file.seek(0)
                    files.append((part.name, FileStorage(file, part.filename, part.name, headers=part.headers)))
            elif isinstance(event, Data) and isinstance(part, Field):
                text += event.data
                if len(text) > (self.max_form_memory_size or len(text)):
                    raise RequestEntityTooLarge
                if not event.more_data:
                    fields.append((part.name, text.decode(parts.get_part_charset(part.headers), "replace")))
        return self.cls(fields), self.cls(files)
