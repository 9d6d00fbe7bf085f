"""Requests that no friend would send."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

NAMES = [
    "../../etc/passwd",
    "..\\..\\win.ini",
    "/etc/passwd",
    "a\0b.mp3",
    "\u202egnp.3pm",
    "\u200b",
    "\ufeff.mp3",
    "CON",
    "nul.mp3",
    "a" * 5000 + ".mp3",
    ".",
    "..",
    "",
    " ",
    "\r\nSet-Cookie: a=b",
    "a\r\n\r\n<html>",
    '"><script>alert(1)</script>',
    "%2e%2e%2f",
    "${jndi:ldap://x}",
    "$(id)",
    "`id`",
    "; rm -rf /",
    "|id",
    "\ud7ff\ue000",
    "\U0001f600" * 200,
    "é\u0301" * 90,
    "｜＜＞",
    "a/b/c",
    "-rf",
    "\x1b[31mred",
    "\x7f",
    "\u2028",
    "${7*7}",
    "{{7*7}}",
    "%s%s%n",
    "' OR '1'='1",
    "');DROP TABLE jobs;--",
    "~root",
    "file:///x",
]
NUMBERS = [
    "-1",
    "0",
    "1e999",
    "-1e999",
    "nan",
    "inf",
    "9" * 400,
    "0x10",
    "1,5",
    "١٢",
    "1_000",
    "2147483648",
    "9223372036854775808",
    "1.7976931348623157e309",
    "--1",
    "+",
    "",
    " 1 ",
    "1\0",
    "9" * 5000,
    "true",
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    10**400,
    1e308,
    -(2**63),
    2**64,
    0.1 + 0.2,
    "",
    "\0",
    "\ud800",
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"a": {"b": {"c": None}}},
    ["vocals", 7],
    "vocals" * 10_000,
    {"$gt": ""},
    {"__proto__": {}},
    {"__class__": "x"},
    ["a"] * 5000,
]
TOKENS = (  # in the text of a JSON body, because Python writes none of them
    "9" * 5000,
    "-" + "9" * 5000,
    "1e999",
    "NaN",
    "-Infinity",
    r'"\ud800"',
    r'"a\u0000"',
    "[" * 100 + "]" * 100,
)
FIELDS = (
    "model",
    "device",
    "stems",
    "format",
    "bit_depth",
    "sample_rate",
    "residual",
    "filename_template",
    "metadata",
    "overlap",
    "shifts",
    "seed",
    "segment",
    "precision",
    "cache",
    "webhook_url",
    "webhook_events",
    "unknown",
    "file",
    "source",
    "__class__",
)
URLS = [
    "http://127.0.0.1/",
    "http://[::1]/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://169.254.169.254/latest/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "http://localhost:6379/",
    "dict://127.0.0.1:6379/info",
    "http://[::ffff:10.0.0.1]/",
    "ftp://x/y",
    "http://a@127.0.0.1/",
    "http://127.0.0.1#@example.org/",
    "http://example.org@127.0.0.1/",
    "//127.0.0.1/",
    "http://0/",
    "jar:http://x!/",
    "http://127。0。0。1/",
    "http://①②⑦.0.0.1/",
    "http://localtest.internal/",
    "data:audio/wav;base64,AAAA",
    "concat:file1|file2",
    "http://x\r\nHost: y/",
    "http://" + "a." * 1200,
    "pipe:0",
    "http://[fe80::1%25lo]/",
    "http://metadata.google.internal/",
    "rtmp://127.0.0.1/x",
    "\0http://x/",
]
IDS = [
    "x",
    "0" * 32,
    "..",
    "%2e%2e",
    "../../healthz/live",
    "a" * 4000,
    "%00",
    "\u202e",
    "*",
    "%",
    "1;2",
    "'",
    "..%2f..%2fetc%2fpasswd",
    "null",
]
HEADERS: list[dict[str, str]] = [
    {"Idempotency-Key": "a b"},
    {"Idempotency-Key": "é".encode().decode("latin-1")},
    {"Idempotency-Key": "k" * 256},
    {"Idempotency-Key": ""},
    {"X-Request-Id": "a" * 4000},
    {"X-Request-Id": "<script>"},
    {"X-Request-Id": "a\tb"},
    {"Prefer": "wait=999999999999"},
    {"Prefer": "wait=1" * 500},
    {"Last-Event-ID": "9" * 40},
    {"Last-Event-ID": "-1"},
    {"Range": "bytes=0-,0-,0-,0-"},
    {"Range": "bytes=-0"},
    {"Range": "lines=1-2"},
    {"Accept": "x/y"},
    {"Accept-Encoding": "br;q=99"},
    {"Origin": "null"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Host": "evil.example"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"Content-Encoding": "gzip"},
    {"Expect": "100-continue"},
    {"If-None-Match": "*"},
    {"Cookie": "a" * 5000},
    {"Authorization": "Basic YTpi"},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer stemsvc_aaaaaaaaaa_" + "A" * 43},
]


@dataclass
class Call:
    """One request; None as key: that of the attacker."""

    kind: str
    method: str
    path: str
    content: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def calls(song: bytes, victim_job: str, victim_upload: str, count: int, seed: int) -> Iterator[Call]:
    """At least `count`, the fixed ones first."""
    yield from fixed(song, victim_job, victim_upload)
    random_ = random.Random(seed)
    for _ in range(count):
        yield drawn(song, random_)


def fixed(song: bytes, victim_job: str, victim_upload: str) -> Iterator[Call]:
    """Each known trick once."""
    for name in NAMES:
        yield Call("names", "POST", "/v1/jobs", {"files": {"file": (name, song)}, "data": {"stems": "vocals"}})
        yield Call("names", "POST", "/v1/uploads", {"json": {"filename": name}})
        yield Call(
            "templates", "POST", "/v1/jobs", {"files": {"file": ("a.flac", song)}, "data": {"filename_template": name}}
        )
    for field_ in FIELDS:
        for value in VALUES:
            yield Call("types", "POST", "/v1/jobs", _json({"source": {"upload_id": "x"}, field_: value}))
    for token in TOKENS:
        for field_ in ("seed", "metadata", "model", "source", "unknown"):
            content = f'{{"source": {{"upload_id": "x"}}, "{field_}": {token}}}'
            for path, body in (("jobs", content), ("jobs:batch", f'{{"jobs": [{content}]}}'), ("uploads", content)):
                yield Call("tokens", "POST", f"/v1/{path}", _text(body))
    for number in NUMBERS:
        for field_ in ("overlap", "shifts", "seed", "segment", "sample_rate"):
            yield Call("numbers", "POST", "/v1/jobs", {"files": {"file": ("a.flac", b"la")}, "data": {field_: number}})
        for query in ("limit", "cursor", "created_after"):
            yield Call("numbers", "GET", "/v1/jobs", {"params": {query: number}})
    for url in URLS:
        yield Call("addresses", "POST", "/v1/jobs", _json({"source": {"url": url}}))
        yield Call(
            "addresses", "POST", "/v1/jobs", {"files": {"file": ("a.flac", b"la")}, "data": {"webhook_url": url}}
        )
        yield Call("addresses", "POST", "/v1/jobs:batch", _json({"jobs": [{"source": {"url": url}}] * 3}))
    for job_id in IDS:
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/events")):
            yield Call("ids", method, f"/v1/jobs/{job_id}{path}")
        yield Call("ids", "DELETE", f"/v1/uploads/{job_id}")
        yield Call("ids", "GET", f"/v1/files/{job_id}", {"params": {"expires": "9999999999", "signature": "0"}})
        yield Call(
            "ids", "PUT", f"/v1/files/{job_id}", {"params": {"expires": "9999999999", "max": "9"}, "content": b"x"}
        )
    for headers in HEADERS:
        for path in ("/v1/jobs", "/v1/models", "/v1/usage", "/healthz/live"):
            yield Call("headers", "GET", path, headers=headers)
        yield Call("headers", "POST", "/v1/jobs", {"files": {"file": ("a.flac", b"la")}}, headers)
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/events"), ("DELETE", "")):
        yield Call("another's", method, f"/v1/jobs/{victim_job}{path}")
    yield Call("another's", "DELETE", f"/v1/uploads/{victim_upload}")
    yield Call("another's", "POST", "/v1/jobs", _json({"source": {"upload_id": victim_upload}}))
    yield Call("another's", "GET", f"/v1/files/jobs/{victim_job}/input")
    yield Call("another's", "GET", f"/v1/files/uploads/{victim_upload}/file")
    for state in ("queued", "succeeded", "failed"):
        yield Call("another's", "GET", "/v1/jobs", {"params": {"state": state, "limit": "200"}})
    yield Call("another's", "GET", "/v1/usage")
    for depth in (10, 1000, 100_000):
        for text in ("[" * depth, '{"a":' * depth, '{"metadata":' + "[" * depth + "]" * depth + "}"):
            yield Call("depth", "POST", "/v1/jobs", {"content": text.encode()}, {"Content-Type": "application/json"})
        deep = '{"a":' * depth + "1" + "}" * depth
        yield Call("depth", "POST", "/v1/jobs", {"files": {"file": ("a.flac", b"la")}, "data": {"metadata": deep}})
    for kind in (
        "text/plain",
        "application/xml",
        "application/json; charset=utf-7",
        "multipart/form-data",
        "a/b" * 400,
        "",
    ):
        yield Call("kinds", "POST", "/v1/jobs", {"content": b"\xff\xfe<a>"}, {"Content-Type": kind})
        yield Call("kinds", "POST", "/v1/jobs:batch", {"content": b"\x00\x01"}, {"Content-Type": kind})
    for method in ("PUT", "PATCH", "TRACE", "OPTIONS", "HEAD", "FOO", "DELETE"):
        for path in ("/v1/jobs", "/v1/models", "/nowhere", "/v1/files/x", "/"):
            yield Call("methods", method, path)
    broken = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nla'
    for garbled in (
        broken,
        broken.replace(b"--x", b"--y"),
        b"--x--",
        b"--x\r\n" * 5000,
        b"\r\n" * 5000,
        broken * 60 + b"\r\n--x--",
    ):
        yield Call(
            "forms", "POST", "/v1/jobs", {"content": garbled}, {"Content-Type": "multipart/form-data; boundary=x"}
        )
    many = {f"field{index}": "x" for index in range(500)}
    yield Call("forms", "POST", "/v1/jobs", {"files": {"file": ("a.flac", b"la")}, "data": many})
    yield Call("forms", "POST", "/v1/jobs", {"files": {"file": ("a.flac", b"la")}, "data": {"model": "x" * 3_000_000}})


def drawn(song: bytes, random_: random.Random) -> Call:
    """Any trick with any value."""
    text = random_.choice([*NAMES, *NUMBERS, *URLS, *IDS])
    name = random_.choice(FIELDS)
    which = random_.randrange(6)
    if which == 0:
        files = {"file": (random_.choice(NAMES), song if random_.random() < 0.1 else random_.randbytes(50))}
        return Call("drawn", "POST", "/v1/jobs", {"files": files, "data": {name: text}})
    if which == 1:
        body = {each: random_.choice([text, *VALUES]) for each in random_.sample(FIELDS, random_.randrange(1, 6))}
        return Call("drawn", "POST", "/v1/jobs", _json(body))
    if which == 2:
        query = dict.fromkeys(random_.sample(("state", "model", "limit", "cursor", "created_after", "x"), 2), text)
        return Call("drawn", "GET", random_.choice(("/v1/jobs", "/v1/usage", "/v1/models")), {"params": query})
    if which == 3:
        return Call(
            "drawn",
            random_.choice(("GET", "POST", "DELETE", "PUT")),
            f"/v1/{random_.choice(('jobs', 'uploads', 'files'))}/{text}",
        )
    if which == 4:
        body = {"jobs": [random_.choice(VALUES) for _ in range(random_.randrange(1, 9))]}
        return Call("drawn", "POST", "/v1/jobs:batch", _json(body))
    data = random_.randbytes(random_.randrange(2000))
    kind = random_.choice(
        ("application/json", "multipart/form-data; boundary=a", "application/x-www-form-urlencoded", "x")
    )
    return Call("drawn", "POST", random_.choice(("/v1/jobs", "/v1/uploads")), {"content": data}, {"Content-Type": kind})


def _json(body: Any) -> dict[str, Any]:
    return _text(json.dumps(body))


def _text(body: str) -> dict[str, Any]:
    return {"content": body.encode(), "headers": {"Content-Type": "application/json"}}
