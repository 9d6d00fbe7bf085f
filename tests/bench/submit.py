"""How long the api takes to accept 100 jobs that are sent at once: `python -m tests.bench.submit`.

A whole service runs, workers too. The client is one thread over plain sockets, so that its own work does not take the
cores from the service. A latency is the time from the first byte sent to the answer's last byte.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stemsvc.client import Client
from stemsvc.demo.render import render_song
from stemsvc.embedded import background
from stemsvc.settings import Settings
from tests.sounds import write_sound

JOBS = 100
ROUNDS = 3
P99_BAR, P99_AIM = 0.200, 0.050  # seconds
_BOUNDARY = "stemsvc-load"


@dataclass
class Burst:
    """What became of the requests of one burst."""

    latencies: list[float]  # seconds, sorted
    jobs: list[str]

    def percentile(self, share: float) -> float:
        """The latency that `share` of the requests stayed within."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


def burst(host: str, port: int, song: bytes, count: int) -> Burst:
    """Send `count` jobs at once over connections that are open already."""
    request = _request(host, song)
    selector = selectors.DefaultSelector()
    sockets = [socket.create_connection((host, port)) for _ in range(count)]
    answers: dict[socket.socket, bytes] = dict.fromkeys(sockets, b"")
    sent: dict[socket.socket, float] = {}
    took: list[float] = []
    for connection in sockets:
        selector.register(connection, selectors.EVENT_READ)
    for connection in sockets:
        sent[connection] = time.perf_counter()
        connection.sendall(request)
    while len(took) < count:
        for key, _ in selector.select(timeout=60):
            assert isinstance(key.fileobj, socket.socket)
            connection = key.fileobj
            answers[connection] += connection.recv(1 << 16)
            if not _is_whole(answers[connection]):
                continue
            took.append(time.perf_counter() - sent[connection])
            selector.unregister(connection)
            connection.close()
    return Burst(sorted(took), [_job_id(answer) for answer in answers.values()])


def _request(host: str, song: bytes) -> bytes:
    part = (
        f"--{_BOUNDARY}\r\nContent-Disposition: form-data; name=\"stems\"\r\n\r\nvocals\r\n"
        f"--{_BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"song.flac\"\r\n"
        "Content-Type: audio/flac\r\n\r\n"
    ).encode()  # fmt: skip
    body = part + song + f"\r\n--{_BOUNDARY}--\r\n".encode()
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _is_whole(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(separator) and length is not None and len(body) >= int(length[1])


def _job_id(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 201"), answer[:500]
    return str(json.loads(body)["id"])


def main() -> int:
    """Print the figures; 1 where p99 misses its bar."""
    with tempfile.TemporaryDirectory(prefix="stemsvc-submit-") as folder:
        sound = np.sum(list(render_song(9600, 1.0).values()), axis=0).T.astype(np.float32)
        song = write_sound(Path(folder) / "song.flac", sound, 44100)
        settings = Settings(data_dir=Path(folder) / "data", api_port=0, pools="demo:cpu")
        stack = background.start(settings)
        try:
            host, port = stack.url.removeprefix("http://").split(":")
            with Client(stack.url) as client:
                client.wait(client.submit(song, stems="vocals")["id"], 120)
                p99s = []
                for _ in range(ROUNDS):
                    start = time.perf_counter()
                    done = burst(host, int(port), song.read_bytes(), JOBS)
                    ends = [client.wait(job_id, 300)["state"] for job_id in done.jobs]
                    p99s.append(done.percentile(0.99))
                    print(
                        f"{JOBS} jobs at once: p50 {done.percentile(0.5) * 1e3:.0f} ms, p99 {p99s[-1] * 1e3:.0f} ms; "
                        f"{ends.count('succeeded')} succeeded in {time.perf_counter() - start:.1f} s"
                    )
        finally:
            background.stop(settings)
    p99 = statistics.median(p99s)
    print(f"p99 {p99 * 1e3:.0f} ms (bar {P99_BAR * 1e3:.0f}, aim {P99_AIM * 1e3:.0f})")
    return int(p99 > P99_BAR)


if __name__ == "__main__":
    sys.exit(main())
