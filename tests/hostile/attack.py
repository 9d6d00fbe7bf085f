"""`python -m tests.hostile.attack`: a whole service, and a client that means it no good.

Prints what was tried and what became of it. Exits non-zero where a process died, another key's data came back, an
answer was none of ours or told of our insides, or a job did not end with a code.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from stemsvc_client import Client

from stemsvc.accounts.keys import Scope, new_key
from stemsvc.embedded import background
from stemsvc.embedded.ports import free_port
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from tests.hostile.calls import Call, calls
from tests.hostile.media import liars, mutants, wishers
from tests.hostile.words import GENERATIONS, words
from tests.sounds import tone, write_sound

INSIDES = re.compile(r"Traceback|File \"/|site-packages|sqlalchemy|psycopg|sqlite3|botocore|/objects/|signing\.key")
BAD_ENDS = ("worker_lost", "internal_error", "time_limit", "store_error", "encode_failed")
LONGEST_SECONDS = 900.0
# How many jobs that requests make are left to run; of the others only the acceptance is looked at.
LEFT_TO_RUN = {"/v1/jobs": 30, GENERATIONS: 8}


@dataclass
class Tally:
    """What was tried and what became of it."""

    tried: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    accepted: int = 0
    made: Counter[str] = field(default_factory=Counter)  # jobs by the call that makes them
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)  # what must not be
    leaks: int = 0
    deaths: int = 0

    def lines(self) -> list[str]:
        """The figures."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.tried.items()))
        ends = ", ".join(f"{end} {count}" for end, count in self.ends.most_common())
        return [
            f"tried {self.tried.total()}: {kinds}",
            f"refused {self.refused}, accepted {self.accepted}; jobs ended: {ends or 'none'}",
            f"worker and api deaths {self.deaths}, leaks of another key's data {self.leaks}, wrong {len(self.wrong)}",
            *self.wrong[:20],
        ]

    @property
    def broken(self) -> bool:
        """Whether a promise was."""
        return bool(self.deaths or self.leaks or self.wrong)


@dataclass(frozen=True)
class Arena:
    """A running service, the attacker's key and conversation, and what only the victim may see."""

    settings: Settings
    url: str
    token: str
    victim_job: str
    victim_upload: str
    victim_conversation: str
    conversation: str  # of the attacker
    canary: str

    @property
    def headers(self) -> dict[str, str]:
        """The attacker's."""
        return {"Authorization": f"Bearer {self.token}"}


def attack(folder: Path, count: int, files: int, seed: int = 1) -> Tally:
    """Try everything on a service of its own; `count` drawn requests and `files` changed files beside the fixed ones."""
    settings = Settings(
        data_dir=folder / "data",
        api_port=free_port(),
        pools="demo:cpu,generate:cpu",
        messages_rate_limit="",
        max_upload_bytes=20_000_000,
        offline=True,
        result_cache=False,
        retry_base_seconds=0.1,
        log_format="json",
        max_wait_seconds=0.1,
        shutdown_grace_seconds=31,
    )
    background.start(settings)
    try:
        arena = _set_up(settings, folder)
        tally = Tally()
        song = write_sound(folder / "song.flac", tone(0.3, 44100), 44100).read_bytes()
        _requests(arena, calls(song, arena.victim_job, arena.victim_upload, count, seed), tally)
        said = words(arena.conversation, arena.victim_conversation, arena.victim_job, count, seed)
        _requests(arena, said, tally)
        _connections(arena, tally)
        media = [*liars(), *wishers(), *mutants(folder, files, seed)]
        _files(arena, media, tally)
        _look_at_ends(arena, tally)
        _look_at_logs(arena, tally)
    finally:
        background.stop(settings)
    return tally


def _set_up(settings: Settings, folder: Path) -> Arena:
    store = JobStore(settings.resolved_database_url)
    tokens = []
    for name in ("victim", "attacker"):
        key, token = new_key(name, frozenset({Scope.SUBMIT, Scope.READ, Scope.URL_SOURCE}))
        store.keys.add(key)
        tokens.append(token)
    store.close()
    url, canary = f"http://127.0.0.1:{settings.api_port}", f"canary{secrets.token_hex(8)}"
    path = write_sound(folder / "mine.flac", tone(1.0, 44100), 44100, kind="song.flac").rename(
        folder / f"{canary}.flac"
    )
    with Client(url, key=tokens[0]) as victim:
        job = victim.submit(path, metadata=json.dumps({"secret": canary}))
        upload = victim.upload(path)
        victim.wait(job["id"], 120)
        talk = victim.start_conversation(name=canary)
        victim.say(talk.id, f"a trap beat for {canary}")
    with Client(url, key=tokens[1]) as attacker:
        own = attacker.start_conversation(name="mine")
    return Arena(settings, url, tokens[1], job["id"], upload, talk.id, own.id, canary)


def _requests(arena: Arena, these: Iterable[Call], tally: Tally) -> None:
    with httpx.Client(base_url=arena.url, timeout=60) as client:
        for call in these:
            content = dict(call.content)
            headers = {**arena.headers, **content.pop("headers", {}), **call.headers}
            try:
                response = _answer(client, call, headers, content)
            except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError, ValueError):
                continue  # our own client does not let it out
            except httpx.HTTPError as error:
                tally.wrong.append(f"{call.kind}: {call.method} {call.path[:80]}: no answer ({error!r})")
                continue
            tally.tried[call.kind] += 1
            _look_at(arena, call, response, tally)
            if response.status_code != 201 or call.path not in LEFT_TO_RUN:
                continue
            tally.made[call.path] += 1
            if tally.made[call.path] > LEFT_TO_RUN[call.path]:
                client.delete(f"/v1/jobs/{response.json()['id']}", headers=arena.headers)


def _answer(client: httpx.Client, call: Call, headers: dict[str, str], content: dict[str, Any]) -> httpx.Response:
    """The whole answer; of a stream of events, which has no end, its beginning. httpx makes `/v1/jobs/../events` one."""
    with client.stream(call.method, call.path, headers=headers, **content) as response:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            response.read()
            return response
        return httpx.Response(response.status_code, headers=response.headers, content=next(response.iter_raw(), b""))


def _look_at(arena: Arena, call: Call, response: httpx.Response, tally: Tally) -> None:
    where = f"{call.kind}: {call.method} {call.path[:80]} {str(call.content)[:160]} -> {response.status_code}"
    text = response.text
    if arena.canary in text or arena.canary in str(response.headers):
        tally.leaks += 1
    if call.kind == "another's" and call.path.count("/") > 2 and response.status_code < 400:
        tally.wrong.append(f"{where}: another's was found")
    if INSIDES.search(text):
        tally.wrong.append(f"{where}: tells of our insides: {text[:200]}")
    if "set-cookie" in response.headers or "x-evil" in response.headers:
        tally.wrong.append(f"{where}: a header was injected")
    if response.status_code >= 500:
        tally.wrong.append(f"{where}: {text[:200]}")
    elif response.status_code >= 400:
        tally.refused += 1
        ours = response.headers.get("content-type") == "application/problem+json"
        if response.headers.get("x-request-id") and not ours and call.method != "HEAD":
            tally.wrong.append(f"{where}: no problem: {text[:200]}")
    else:
        tally.accepted += 1


def _connections(arena: Arena, tally: Tally) -> None:
    """What no HTTP library sends: cuts, halves, smuggling, heads without end."""
    auth = f"Authorization: Bearer {arena.token}\r\n".encode()
    post = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\n" + auth
    form = b"Content-Type: multipart/form-data; boundary=x\r\n"
    begun = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
    raw = [
        b"",
        b"\r\n" * 100,
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/jobs HTTP/1.1\r\n\r\n",
        b"\0" * 100,
        b"\x16\x03\x01\x02\0",
        post + form + b"Content-Length: 1000000\r\n\r\n" + begun,
        post + form + b"Content-Length: 10\r\n\r\n" + begun * 50,
        post + form + b"Content-Length: -5\r\n\r\n",
        post + form + b"Content-Length: 99999999999999999999\r\n\r\n",
        post + form + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        post + form + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        post + form + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET /v1/usage HTTP/1.1\r\n\r\n",
        post + form + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nx",
        post + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
        post + b"".join(b"H%d: x\r\n" % index for index in range(2000)) + b"\r\n",
        post + b"X-A: b\r\n X-Folded: c\r\n\r\n",
        b"POST /v1/uploads HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\n\tSet-Cookie: b\r\n"
        + auth
        + b"Content-Length: 0\r\n\r\n",
        b"GET http://169.254.169.254/latest/ HTTP/1.1\r\nHost: y\r\n" + auth + b"\r\n",
        b"CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: y\r\n\r\n",
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/jobs?limit=1%00 HTTP/1.1\r\nHost: x\r\n" + auth + b"\r\n",
        b"GET /v1/jobs/\xff\xfe HTTP/1.1\r\nHost: x\r\n" + auth + b"\r\n",
    ]
    for data in raw * 3:
        tally.tried["connections"] += 1
        answer = _sent(arena, data)
        if arena.canary.encode() in answer:
            tally.leaks += 1
        if INSIDES.search(answer.decode(errors="replace")) or re.search(rb"HTTP/1\.1 5\d\d", answer):
            tally.wrong.append(f"connections: {data[:120]!r} -> {answer[:300]!r}")
        tally.refused += 1
    slow = [socket.create_connection(("127.0.0.1", arena.settings.api_port)) for _ in range(50)]
    for connection in slow:  # bodies that never come must not keep others out
        connection.sendall(post + form + b"Content-Length: 1000\r\n\r\n" + begun)
        tally.tried["slow"] += 1
    start = time.monotonic()
    status = httpx.get(f"{arena.url}/v1/models", headers=arena.headers, timeout=30).status_code
    if status != 200 or time.monotonic() - start > 5:
        tally.wrong.append(f"slow bodies keep others out: {status} after {time.monotonic() - start:.1f} s")
    for connection in slow:
        connection.close()


def _sent(arena: Arena, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", arena.settings.api_port), timeout=10) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(1 << 16):
                answer += part
        except OSError:
            return b""
        return answer


def _files(arena: Arena, media: list[tuple[str, bytes]], tally: Tally) -> None:
    """Send each as a track; what is accepted must end with a code."""

    def send(item: tuple[str, bytes]) -> httpx.Response:
        name, data = item
        files = {"file": (name, data)}
        return httpx.post(
            f"{arena.url}/v1/jobs", files=files, data={"stems": "vocals"}, headers=arena.headers, timeout=60
        )

    with ThreadPoolExecutor(4) as pool:
        for (name, _), response in zip(media, pool.map(send, media), strict=True):
            tally.tried["files"] += 1
            _look_at(arena, Call("files", "POST", f"/v1/jobs ({name})"), response, tally)


def _look_at_ends(arena: Arena, tally: Tally) -> None:
    """Wait for all jobs, and see how they ended."""
    deadline = time.monotonic() + LONGEST_SECONDS
    with Client(arena.url, key=arena.token) as client:
        while live := list(client.jobs(state=["queued", "running"])):
            if time.monotonic() > deadline:
                tally.wrong.append(f"{len(live)} jobs did not end: {live[0]}")
                return
            time.sleep(0.5)
        for job in client.jobs(limit=200):
            code = job["error"]["code"] if job["error"] else str(job["state"])
            tally.ends[code] += 1
            if code in BAD_ENDS or job["state"] not in ("succeeded", "failed", "canceled"):
                tally.wrong.append(f"{job['filename']}: {job['state']} {job['error']}")
            if job["error"] and (INSIDES.search(job["error"]["detail"]) or "root:" in job["error"]["detail"]):
                tally.wrong.append(f"{job['filename']}: tells of our insides: {job['error']}")


def _look_at_logs(arena: Arena, tally: Tally) -> None:
    logs = arena.settings.data_dir / "logs"
    for line in _lines(logs / "worker-cpu.log"):
        tally.deaths += "WorkerLostError" in line or "exited with" in line
    booted = sum("Booting worker" in line for line in _lines(logs / "api.log"))
    tally.deaths += max(0, booted - arena.settings.api_processes)
    tally.deaths += sum("starting it again" in line for line in _lines(logs / "up.log"))
    for name in ("api.log", "worker-cpu.log", "fetcher.log", "dispatcher.log"):
        tracebacks = [line for line in _lines(logs / name) if "Traceback" in line]
        tally.wrong += [f"{name}: {line[-1500:]}" for line in tracebacks]
        if any(arena.token.rsplit("_", 1)[1] in line for line in _lines(logs / name)):
            tally.wrong.append(f"{name}: has a key in it")


def _lines(path: Path) -> Iterator[str]:
    if path.exists():
        with path.open(errors="replace") as file:
            yield from file


def main() -> int:
    """Print the tally."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="drawn requests")
    parser.add_argument("--files", type=int, default=400, help="changed files")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stemsvc-attack-") as folder:
        tally = attack(Path(folder), given.count, given.files, given.seed)
    print("\n".join(tally.lines()))
    return int(tally.broken)


if __name__ == "__main__":
    sys.exit(main())
