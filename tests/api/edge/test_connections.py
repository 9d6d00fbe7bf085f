"""Connections that send slowly, send nothing, never close, or are too many; against a real api."""

from __future__ import annotations

import io
import json
import re
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.edge.addresses import Addresses
from api.edge.concurrency import ARCHIVES
from api.edge.connections import HEAD_BYTES
from stemsvc.embedded.ports import free_port
from stemsvc.errors import FatalError, TooManyConnections
from stemsvc.jobs.record import JobState, Lease, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from stemsvc.storage import open_signer, open_storage
from stemsvc.storage.zipped import PART
from tests.processes import LocalProcess, plain_environment, stemsvc, wait_for
from tests.specs import job_of, spec_of

MORE_THAN_BUFFERS = 32 * 1024 * 1024  # that the system keeps for a connection whose client reads nothing
THREADS = 101  # of the api below: one for a request that works and 100 for slow bodies
CONNECTIONS = 2 * THREADS
HEAD_SECONDS = 3.0
SOON = 2.0  # seconds; on a machine that does other things too
SLOW = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"


class Api:
    """A running api, of one small process."""

    def __init__(self, folder: Path, command: list[str] | None = None, **settings: str) -> None:
        self.port, self.data = free_port(), folder / "data"
        self.url = f"http://127.0.0.1:{self.port}"
        usual = {
            "STEMSVC_DATA_DIR": str(self.data),
            "STEMSVC_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
            "STEMSVC_API_PROCESSES": "1",
            "STEMSVC_API_THREADS": "1",
            "STEMSVC_API_STREAMS": "0",
            "STEMSVC_HEAD_SECONDS": str(HEAD_SECONDS),
        }
        environment = plain_environment(**{**usual, **settings})
        run = [*(command or []), *stemsvc("api", "--port", str(self.port))]
        self.process = LocalProcess("api", run, environment, folder, lambda _: self.answers())
        self.process.ready()

    def answers(self, path: str = "/healthz/live") -> bool:
        try:
            return httpx.get(f"{self.url}{path}", timeout=SOON).status_code == 200
        except httpx.HTTPError:
            return False

    def seconds(self, path: str = "/v1/models") -> float:
        start = time.monotonic()
        assert httpx.get(f"{self.url}{path}", timeout=30).status_code == 200
        return time.monotonic() - start

    def connect(self, data: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(source, 0))
        made.sendall(data)
        return made


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = Api(tmp_path_factory.mktemp("api"))
    yield made
    made.process.teardown()


@pytest.fixture
def open_(api: Api) -> Iterator[Callable[..., list[socket.socket]]]:
    """Opens so many connections, each of which begins with these bytes; closes them at the end."""
    with ExitStack() as stack:
        yield lambda count, data=b"": [stack.enter_context(api.connect(data)) for _ in range(count)]


def answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer that ends a connection; 0 where it ends without one."""
    text = b""
    while part := connection.recv(1 << 16):
        text += part
    if not text:
        return 0, {}
    head, _, body = text.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    if b"application/problem+json" in head:
        assert json.loads(body)["status"] == status
        assert json.loads(body)["request_id"] in head.decode()
    return status, json.loads(body) if body.startswith(b"{") else {}


@pytest.mark.parametrize("begun", [b"", b"G", SLOW])
def test_slow_heads_keep_nobody_out(api: Api, open_: Callable[..., Any], begun: bytes) -> None:
    open_(CONNECTIONS + 100, begun)  # more than it has threads, and more than it keeps open

    assert max(api.seconds(path) for path in ("/v1/models", "/healthz/live", "/v1/jobs") * 3) < SOON


def test_a_head_has_a_deadline_that_no_byte_puts_off(api: Api, open_: Callable[..., Any]) -> None:
    (dripping,), (silent,) = open_(1, SLOW), open_(1)
    start, dripped = time.monotonic(), 0
    dripping.settimeout(0.2)
    while True:
        try:
            status, problem = answer(dripping)
            break
        except TimeoutError:
            dripping.sendall(b"X-A: b\r\n")
            dripped += 1

    assert (status, problem["code"]) == (408, "request_timeout")
    assert HEAD_SECONDS - 0.5 < time.monotonic() - start < HEAD_SECONDS + 2 * SOON
    assert dripped > 3
    assert answer(silent) == (0, {})  # a browser opens some that it may not need


def test_who_does_not_close_keeps_nobody_waiting(api: Api, open_: Callable[..., Any]) -> None:
    for connection in open_(20, b"GET / HTTP/9.9\r\n\r\n"):
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 400")
    open_(20, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    assert max(api.seconds() for _ in range(3)) < SOON


def test_slow_bodies_keep_no_request_out_that_has_none(api: Api, open_: Callable[..., Any]) -> None:
    connections = open_(THREADS, BODY)
    assert max(api.seconds() for _ in range(3)) < SOON
    status, problem = answer(connections[-1])
    assert (status, problem["code"]) == (503, "api_busy")
    for connection in connections:
        connection.close()
    wait_for("room for a body", lambda: httpx.post(f"{api.url}/v1/jobs", json={}).status_code == 400)


def test_slow_readers_of_files_keep_no_other_request_out(api: Api, open_: Callable[..., Any]) -> None:
    storage = open_storage(Settings(data_dir=api.data))
    storage.put("jobs/x/large", io.BytesIO(bytes(MORE_THAN_BUFFERS)), "audio/flac")
    url = storage.signed_url("jobs/x/large", 60, "large.flac", "audio/flac")

    connections = open_(THREADS, f"GET {url} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert max(api.seconds() for _ in range(3)) < SOON
    status, problem = answer(connections[-1])
    assert (status, problem["code"]) == (503, "api_busy")
    for connection in connections:
        connection.close()
    wait_for("room for a file", lambda: httpx.get(f"{api.url}{url}").status_code == 200)


def test_probes_are_answered_while_every_thread_is_taken(tmp_path: Path) -> None:
    api = Api(tmp_path, STEMSVC_MAX_WAIT_SECONDS="60")
    database = tmp_path / "data" / "jobs.sqlite"
    try:
        with ExitStack() as stack, closing(sqlite3.connect(database, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            for _ in range(CONNECTIONS - 20):  # each waits for the one that waits for the lock
                path = f"/v1/jobs/{'0' * 32}/cancel"
                stack.enter_context(api.connect(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()))
            for _ in range(3):
                assert api.seconds("/healthz/live") < SOON
                assert api.seconds("/healthz/ready") < SOON + 2
                assert api.seconds("/metrics") < SOON + 2
    finally:
        api.process.teardown()


def test_a_head_that_is_too_large_is_refused(api: Api) -> None:
    with api.connect(SLOW + b"X: " + b"a" * HEAD_BYTES) as connection:
        status, problem = answer(connection)
        assert (status, problem["code"]) == (431, "headers_too_large")
    with api.connect(b"GET /\n\n") as connection:  # what the parser refuses is refused at once
        assert answer(connection)[0] == 400


def test_requests_in_pieces_and_several_at_once_are_all_answered(api: Api) -> None:
    live = b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    form = b"POST /v1/jobs/none/cancel HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
    with api.connect() as connection:
        for byte in live:
            connection.sendall(bytes([byte]))
        connection.sendall(b"\r\n" + live + form + b"12")  # an empty line before a request is allowed
        connection.sendall(b"345" + live + live[:-2])
        connection.sendall(live[-2:] + live[:-2] + b"Connection: close\r\n\r\n")
        text = b""
        while part := connection.recv(1 << 16):
            text += part
    assert [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", text)] == [200, 200, 404, 200, 200, 200]


def test_a_kept_connection_serves_again_and_is_closed_when_idle(api: Api) -> None:
    with httpx.Client(base_url=api.url) as client:
        ports = {
            client.get("/healthz/live").extensions["network_stream"].get_extra_info("client_addr") for _ in range(5)
        }
        assert len(ports) == 1
        assert client.post("/v1/jobs", json={"source": {}}).status_code in (400, 422)
        assert client.get("/v1/models").status_code == 200
    with api.connect(b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n") as connection:
        assert answer(connection) == (200, {"status": "ok", "parts": {}})  # it ends


def test_an_address_has_so_many_connections(tmp_path: Path) -> None:
    # heads may take long: none of those held is to end before the sixth comes
    api = Api(
        tmp_path,
        STEMSVC_PROXY_NETWORKS="127.0.0.9/32",
        STEMSVC_CONNECTIONS_PER_ADDRESS="5",
        STEMSVC_HEAD_SECONDS="60",
    )
    try:
        with ExitStack() as stack:
            held = [stack.enter_context(api.connect(SLOW)) for _ in range(5)]
            with api.connect(source="127.0.0.1") as sixth:
                status, problem = answer(sixth)
                assert (status, problem["code"]) == (429, "too_many_connections")
            for other in ("127.0.0.2", "127.0.0.9"):
                for connection in [stack.enter_context(api.connect(SLOW + b"\r\n", other)) for _ in range(5)]:
                    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
            stack.enter_context(api.connect(SLOW + b"\r\n", "127.0.0.9"))
            held[0].close()
            wait_for("a place to be free", lambda: api.answers())
    finally:
        api.process.teardown()


@pytest.mark.long
def test_without_files_for_more_it_makes_do_with_those_it_has(tmp_path: Path) -> None:
    api = Api(tmp_path, ["prlimit", "--nofile=150:150"])
    try:
        pid = _child(api.process.pid)
        with ExitStack() as stack:
            for _ in range(190):  # it would keep as many
                stack.enter_context(api.connect(SLOW))
            assert max(api.seconds() for _ in range(3)) < SOON
        assert _child(api.process.pid) == pid
        assert "open files" in api.process.logs()
        start = time.monotonic()
        with ExitStack() as stack:
            for _ in range(50):
                stack.enter_context(api.connect(SLOW))
            api.process.teardown()
        assert time.monotonic() - start < HEAD_SECONDS + 5
    finally:
        api.process.teardown()


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_who_counts_as_one() -> None:
    addresses = Addresses(2, "10.0.0.0/8, ::1/128, fd00::/8")
    first = addresses.enter(("2001:db8:1:2::a", 1, 0, 0))
    addresses.enter(("2001:db8:1:2:ffff::b", 1, 0, 0))
    with pytest.raises(TooManyConnections):
        addresses.enter(("2001:db8:1:2::c", 1, 0, 0))
    addresses.enter(("2001:db8:1:3::a", 1, 0, 0))
    addresses.leave(first)
    addresses.enter(("2001:db8:1:2::c", 1, 0, 0))
    addresses.enter(("::ffff:203.0.113.9", 1, 0, 0))
    addresses.enter(("203.0.113.9", 1))
    with pytest.raises(TooManyConnections):
        addresses.enter(("203.0.113.9", 2))
    for proxy in ("10.1.2.3", "::1", "::ffff:10.9.9.9", "fd00::7", "fd00::7%eth0"):
        assert {addresses.enter((proxy, 1)) for _ in range(9)} == {None}
    assert addresses.enter("") is None  # a unix socket


def test_networks_that_are_none_are_named() -> None:
    with pytest.raises(FatalError, match="STEMSVC_PROXY_NETWORKS"):
        Addresses(1, "10.0.0.0/8, nonsense")


def test_clients_that_leave_their_archives_free_the_places(api: Api, open_: Callable[..., list[socket.socket]]) -> None:
    # given as many archives as the api sends at a time, to clients that take nothing
    settings = Settings(data_dir=api.data)
    storage, store = open_storage(settings), JobStore(settings.resolved_database_url)
    job_id = new_job_id()
    lease, job = Lease(job_id, 1, "worker"), job_of(job_id, JobState.QUEUED, spec_of(), "p", "k", "song.mp3")
    store.intake.put(job, "accepted")
    store.leases.take(job_id, "worker", 60)
    size = storage.put(f"{lease.prefix}/vocals.flac", io.BytesIO(bytes(30_000_000)), "audio/flac")
    output = {"key": f"{lease.prefix}/vocals.flac", "bytes": size, "crc32": 0}
    assert store.leases.succeed(lease, {}, {"vocals": output})
    store.close()
    url = open_signer(settings).archive_url(job_id, 600)
    before = memory(api)
    held = open_(ARCHIVES + 20, f"GET {url} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    wait_for("every place to be taken", lambda: httpx.head(api.url + url).status_code == 503)
    assert memory(api) - before < 2.2 * ARCHIVES * PART  # a part of each and its copy, not 1.5 GB
    assert api.seconds("/healthz/live") < SOON

    for connection in held:
        connection.close()
    wait_for("a place", lambda: httpx.head(api.url + url).status_code == 200)
    with httpx.stream("GET", api.url + url) as answer:
        assert sum(map(len, answer.iter_bytes())) == int(answer.headers["Content-Length"]) > 30_000_000


def memory(api: Api) -> int:
    """Bytes that the api's processes hold."""
    found = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
    rows = [tuple(map(int, line.split())) for line in found.splitlines()]
    ours = {api.process.pid}
    for pid, parent, _ in sorted(rows):
        ours |= {pid} if parent in ours else set()
    return sum(rss * 1024 for pid, _, rss in rows if pid in ours)
