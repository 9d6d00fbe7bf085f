"""Sends many HTTP requests at once from one thread over plain sockets, so that the client uses little CPU."""

from __future__ import annotations

import json
import re
import secrets
import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Answer:
    """Seconds from the first byte sent to the last one received; status, 0 if the connection broke; body."""

    seconds: float
    status: int
    body: bytes

    @property
    def job_id(self) -> str:
        """Id of the created job; empty if no job was created."""
        return str(json.loads(self.body).get("id", "")) if self.status == 201 else ""


@dataclass
class _Exchange:
    connection: socket.socket
    unsent: memoryview
    started: float
    received: bytearray = field(default_factory=bytearray)


def percentile(answers: Iterable[Answer], share: float) -> float:
    """The seconds within which `share` of the answers came."""
    ordered = sorted(answer.seconds for answer in answers)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def submission(host: str, song: bytes, headers: str = "", **fields: str) -> bytes:
    """The bytes of a multipart `POST /v1/jobs`, with a boundary of its own as each request of a browser's has."""
    boundary = secrets.token_hex(16)
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"stems": "vocals", **fields}.items()
    )
    file = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="song.flac"\r\n'
        "Content-Type: audio/flac\r\n\r\n"
    )
    body = parts.encode() + file.encode() + song + f"\r\n--{boundary}--\r\n".encode()
    return request("POST", "/v1/jobs", host, body, f"multipart/form-data; boundary={boundary}", headers)


def request(method: str, path: str, host: str, body: bytes, kind: str, headers: str = "") -> bytes:
    """The bytes of an HTTP/1.1 request; `kind` is the content type of its body."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def burst(host: str, port: int, requests: list[bytes], at: list[float] | None = None) -> list[Answer]:
    """Send each request over its own connection; returns the answers, first come first.

    Without `at` all connections are opened before all requests are sent at once. With `at` each request is sent at
    its own number of seconds from now. Raises `TimeoutError` after 60 s in which nothing came.
    """
    selector = selectors.DefaultSelector()
    waiting = sorted(zip(at or [0.0] * len(requests), range(len(requests)), strict=True), reverse=True)
    opened = {} if at else {index: socket.create_connection((host, port)) for index in range(len(requests))}
    answers: list[Answer] = []
    start = time.perf_counter()
    while len(answers) < len(requests):
        while waiting and waiting[-1][0] <= time.perf_counter() - start:
            index = waiting.pop()[1]
            connection = opened.get(index) or socket.create_connection((host, port))
            connection.setblocking(False)
            exchange = _Exchange(connection, memoryview(requests[index]), time.perf_counter())
            selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE, exchange)
        pause = 60.0 if not waiting else max(0.0, waiting[-1][0] - (time.perf_counter() - start))
        ready = selector.select(pause)
        if not ready and not waiting:
            raise TimeoutError(f"{len(requests) - len(answers)} requests have no answer")
        for key, events in ready:
            answer = _go_on(selector, key.data, events)
            if answer is not None:
                answers.append(answer)
    return answers


def _go_on(selector: selectors.BaseSelector, exchange: _Exchange, events: int) -> Answer | None:
    connection = exchange.connection
    if events & selectors.EVENT_WRITE and exchange.unsent:
        exchange.unsent = exchange.unsent[connection.send(exchange.unsent[: 1 << 18]) :]
        if not exchange.unsent:
            selector.modify(connection, selectors.EVENT_READ, exchange)
    if not events & selectors.EVENT_READ:
        return None
    part = connection.recv(1 << 16)
    exchange.received += part
    found = _whole(bytes(exchange.received))
    if found is None and part:
        return None
    selector.unregister(connection)
    connection.close()
    status, body = found or (0, b"")
    return Answer(time.perf_counter() - exchange.started, status, body)


def _whole(answer: bytes) -> tuple[int, bytes] | None:
    head, separator, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    if not separator or length is None or len(body) < int(length[1]):
        return None
    return int(head.split(b" ", 2)[1]), body
