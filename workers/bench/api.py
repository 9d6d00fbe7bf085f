"""How much load the api bears: submits, event streams, one request many times. Runs a real api and Redis, no worker."""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path

import httpx

from workers.bench.api_process import Api, running_api
from workers.bench.load import Answer, burst, percentile, request, submission
from workers.bench.messages import message_figures
from workers.bench.table import Figure, Say

CLIENTS = 100
FILE_BYTES = 5_000_000
STREAMS = 1000
SAME = 50
STEADY_SECONDS = 20.0
THINK_SECONDS = 10.0  # between two jobs of one client
SETTLE_SECONDS = 1.0  # after a burst
_HOW_CPU = "both processes, with all that follows the answer; 100 at the same moment"


def api_figures(rounds: int, say: Say) -> list[Figure]:
    """All figures of the api; those of submits are medians of `rounds` rounds."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as folder:
        with running_api(Path(folder) / "submits", 2) as api:
            figures += _submits(api, rounds, say)
            figures.append(_same(api, say))
            figures += message_figures(api.url, rounds, say)
        with running_api(Path(folder) / "streams", 1) as api:
            figures += _streams(api, say)
    return figures


def _submits(api: Api, rounds: int, say: Say) -> list[Figure]:
    song = bytes(FILE_BYTES)
    whole = submission(api.host, song)
    small = [submission(api.host, bytes(1000)) for _ in range(CLIENTS)]
    burst(api.host, api.port, small[:20])  # warm up: what happens only once is not measured
    before = api.memory()
    for requests in (small, [whole] * CLIENTS):  # nor the round in which a hundred requests start the threads
        burst(api.host, api.port, requests)
    at_once: list[float] = []
    put: list[float] = []
    small_ones: list[float] = []
    steady: list[float] = []
    cpu: list[float] = []
    errors, peaks, left = 0, [], []
    for _ in range(max(2, rounds)):
        peaks.append(0)
        for name, found, requests, at in (
            ("5 MB at once", at_once, [whole] * CLIENTS, None),
            ("5 MB by presigned upload, then jobs at once", put, _uploaded(api, song), None),
            ("small files at once", small_ones, small, None),
            ("5 MB, each client every 10 s", steady, *_paced(whole)),
        ):
            with _Watched(api) as watched:
                answers = burst(api.host, api.port, requests, at)
            peaks[-1] = max(peaks[-1], watched.peak)
            errors += sum(answer.status != 201 for answer in answers)
            found.append(percentile(answers, 0.99) * 1e3)
            say(f"  {name}: p50 {percentile(answers, 0.5) * 1e3:.0f} ms, p99 {found[-1]:.0f} ms")
        left.append(api.memory())
        cpu.append(_cpu_of_each(api, small))
        say(f"  small files: {cpu[-1] * 1e3:.1f} ms of CPU each")
    how = f"{CLIENTS} clients, 2 processes, no worker; medians of {rounds}"
    idle = f"both processes, idle {before / 1e6:.0f} MB"
    return [
        Figure("submit p99, 5 MB, 100 clients, each every 10 s", how, statistics.median(steady), " ms", 200.0, 50.0),
        # two cores can't parse half a gigabyte in 200 ms: this figure is reported without a bar
        Figure("submit p99, 5 MB, 100 at the same moment", how, statistics.median(at_once), " ms"),
        Figure("submit p99, 100 uploads of 5 MB named at once", how, statistics.median(put), " ms", 200.0, 50.0),
        Figure("submit p99, 1 kB, 100 at the same moment", how, statistics.median(small_ones), " ms", 200.0, 50.0),
        Figure("CPU of a submit, 1 kB", _HOW_CPU, statistics.median(cpu) * 1e3, " ms", 2.5),
        Figure("submit errors", "of all of these", errors, "", 0.0),
        Figure("api memory: peak less idle, half a gigabyte in flight", idle, (peaks[0] - before) / 1e6, " MB"),
        Figure("api memory: last round's peak less the first's", "flat", (peaks[-1] - peaks[0]) / 1e6, " MB", 20.0),
        Figure("api memory: after the last round less the first", "flat", (left[-1] - left[0]) / 1e6, " MB", 20.0),
    ]


def _cpu_of_each(api: Api, requests: list[bytes]) -> float:
    """Seconds of CPU that the api takes for each of these requests, until all it does for them is done.

    It depends less than a clock on what else runs on the machine.
    """
    before = api.cpu()
    answers = burst(api.host, api.port, requests)
    time.sleep(SETTLE_SECONDS)  # messages are sent after the answers
    if any(answer.status != 201 for answer in answers):
        raise RuntimeError("the api refused a submit")
    return (api.cpu() - before) / len(requests)


def _paced(whole: bytes) -> tuple[list[bytes], list[float]]:
    """Requests, and the second of each: every client sends one each `THINK_SECONDS`, at its own moment."""
    count = int(CLIENTS * STEADY_SECONDS / THINK_SECONDS)
    return [whole] * count, [index * STEADY_SECONDS / count for index in range(count)]


def _uploaded(api: Api, song: bytes) -> list[bytes]:
    """Upload the files; return the requests that submit jobs for them. Only these requests are timed."""
    requests = []
    with httpx.Client(base_url=api.url, timeout=60) as client:
        for _ in range(CLIENTS):
            place = client.post("/v1/uploads", json={"bytes": len(song)}).json()
            client.put(place["url"], content=song, headers=place["headers"]).raise_for_status()
            body = json.dumps({"source": {"upload_id": place["upload_id"]}, "stems": ["vocals"]}).encode()
            requests.append(request("POST", "/v1/jobs", api.host, body, "application/json"))
    return requests


def _same(api: Api, say: Say) -> Figure:
    headers = "Idempotency-Key: the-same\r\n"
    answers: list[Answer] = burst(api.host, api.port, [submission(api.host, bytes(10_000), headers)] * SAME)
    made = {answer.job_id for answer in answers}
    say(f"  {SAME} requests with one Idempotency-Key: {len(made)} job")
    good = float(len(made)) if "" not in made else float("nan")
    return Figure(f"jobs of {SAME} requests with one Idempotency-Key", "all at the same moment", good, "", 1.0)


def _streams(api: Api, say: Say) -> list[Figure]:
    with httpx.Client(base_url=api.url, timeout=60) as client:
        jobs = [
            client.post("/v1/jobs", files={"file": ("a.flac", b"la")}).json()["id"]
            for _ in range(max(1, STREAMS // 10))
        ]
        selector = selectors.DefaultSelector()
        for index in range(STREAMS):
            connection = socket.create_connection((api.host, api.port))
            path = f"/v1/jobs/{jobs[index % len(jobs)]}/events"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {api.host}\r\n\r\n".encode())
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ, bytearray())
        opened = _read(selector, lambda text: b'"to": "queued"' in text, STREAMS, 120)
        held = api.memory()
        say(f"  {opened} streams open, {held / 1e6:.0f} MB")
        start = time.perf_counter()
        for job_id in jobs:
            client.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
        ended = _read(selector, lambda text: b'"to": "canceled"' in text, opened, 60)
        seconds = time.perf_counter() - start
    for key in list(selector.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()
    how = f"{STREAMS} streams on one process, {len(jobs)} jobs"
    return [
        Figure("open event streams", how, float(opened), "", float(STREAMS), floor=True),
        Figure("memory with them open", "the process and its master", held / 1e6, " MB", 300.0),
        Figure("end states delivered", how, float(ended), "", float(STREAMS), floor=True),
        Figure("seconds until the last was told", f"{len(jobs)} cancels, one after the other", seconds, " s"),
    ]


def _read(selector: selectors.BaseSelector, heard: object, count: int, seconds: float) -> int:
    """Read all streams until `heard` accepts the text of `count` of them, or until `seconds` are over.

    Returns the number of accepted streams.
    """
    assert callable(heard)
    done: set[int] = set()
    deadline = time.monotonic() + seconds
    while len(done) < count and time.monotonic() < deadline:
        for key, _ in selector.select(0.5):
            assert isinstance(key.fileobj, socket.socket)
            with contextlib.suppress(BlockingIOError):
                part = key.fileobj.recv(1 << 16)
                key.data.extend(part)
                if not part:
                    selector.unregister(key.fileobj)
            if heard(key.data):
                done.add(key.fd)
    return len(done)


class _Watched(threading.Thread):
    """Reads the api's memory again and again while the context lasts, and keeps the peak."""

    def __init__(self, api: Api) -> None:
        super().__init__(daemon=True)
        self._api = api
        self._over = threading.Event()
        self.peak = 0

    def __enter__(self) -> _Watched:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Read the memory ten times a second."""
        while not self._over.wait(0.1):
            self.peak = max(self.peak, self._api.memory())
