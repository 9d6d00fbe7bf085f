"""Forms are read as werkzeug reads them, whatever the boundary, the line breaks and the pieces that come."""

from __future__ import annotations

import io
import random
from typing import IO, Any

import pytest
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser, MultiPartParser

from api.edge import multipart
from api.edge.multipart import FormParser

HEAD = b'Content-Disposition: form-data; name="%s"'


def form(boundary: bytes, parts: list[tuple[bytes, bytes]], line: bytes = b"\r\n", before: bytes = b"") -> bytes:
    lines = [before] if before else []
    for head, body in parts:
        lines += [b"--" + boundary, head, b"", body]
    return line.join([*lines, b"--" + boundary + b"--", b""])


def in_memory(*_: object, **__: object) -> IO[bytes]:
    return io.BytesIO()


def read(parser: type[FormDataParser], body: bytes, boundary: str, **limits: Any) -> Any:
    _, fields, files = parser(in_memory, **limits).parse(
        io.BytesIO(body), "multipart/form-data", len(body), {"boundary": boundary}
    )
    return found(fields, files)


def found(fields: MultiDict[str, str], files: MultiDict[str, FileStorage]) -> Any:
    read = [(name, file.filename, file.stream.read(), list(file.headers)) for name, file in files.items(multi=True)]
    for _, file in files.items(multi=True):
        file.close()
    return list(fields.items(multi=True)), read


BOUNDARIES = (b"x", b"----WebKitFormBoundary7MA4YWxkTrZu0gW", b"a+b.(c)*[d]", b"'quoted' and spaced")
NOISE = (b"\r\n--", b"--", b"\r", b"\n", b"x", b"--x", b"\r\n--x", b"\r\n--x-", b"\r\n--xy\r\n", b"\n--x  \n", b"")


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("line", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize("piece", [3, 7, 64, 65536])
def test_it_is_what_werkzeug_reads(boundary: bytes, line: bytes, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "PART_BYTES", piece)
    chance = random.Random(f"{boundary!r}{line!r}{piece}")
    text = HEAD % b"text" + line + b"Content-Type: text/plain; charset=utf-8"
    song = HEAD % b"file" + b'; filename="song.flac"' + line + b"Content-Type: audio/flac"
    for _ in range(40):
        data = b"".join(chance.choices(NOISE, k=chance.randrange(12)))
        parts = [(HEAD % b"stems", b"vocals"), (text, b"\xc3\xa9"), (song, data)]
        body = form(boundary, parts, line, chance.choice([b"", b"preamble"]))
        try:  # what it makes of a form depends on the pieces that come
            theirs = found(*MultiPartParser(in_memory, buffer_size=piece).parse(io.BytesIO(body), boundary, len(body)))
        except ValueError:
            theirs = ([], [])
        assert read(FormParser, body, boundary.decode()) == theirs


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n", b"--x--", b"no form", b"--x\r\nA: b\r\n\r\nc\r\n--x--\r\n"])
def test_what_is_no_form_has_no_fields(body: bytes) -> None:
    assert read(FormParser, body, "x") == read(FormDataParser, body, "x") == ([], [])
    assert read(FormParser, body, "") == read(FormParser, body, "\u00e9") == ([], [])


def test_limits_hold() -> None:
    many = form(b"x", [(HEAD % b"a", b"1")] * 4)
    with pytest.raises(RequestEntityTooLarge):
        read(FormParser, many, "x", max_form_parts=3)
    assert len(read(FormParser, many, "x", max_form_parts=4)[0]) == 4

    long = form(b"x", [(HEAD % b"a", b"1" * 300_000)])
    with pytest.raises(RequestEntityTooLarge):
        read(FormParser, long, "x", max_form_memory_size=200_000)
    file = form(b"x", [(HEAD % b"a" + b'; filename="b"', b"1" * 300_000)])
    assert len(read(FormParser, file, "x", max_form_memory_size=200_000)[1][0][2]) == 300_000
