"""`python -m tests.hostile.slow_heads`: how long a normal request takes while many connections send their heads slowly.

It starts an api of its own on the loopback, with the default settings, and ends by itself. `--tree` names a checkout of
another release to compare with.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import selectors
import socket
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from stemsvc.embedded.ports import free_port
from tests.processes import LocalProcess, plain_environment, stemsvc

HEAD = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n"
DRIP_SECONDS = 1.0  # between two bytes of each connection
ANSWER_SECONDS = 10.0  # a request without an answer for so long has failed


@dataclass
class Crowd:
    """Connections that send a byte a second. Those that the api closes are opened again, as an attacker would."""

    port: int
    count: int
    opened: int = 0
    refused: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Keep them open until `stop`."""
        waiting, due = selectors.DefaultSelector(), 0.0
        while not self._stop.is_set():
            while len(waiting.get_map()) < self.count and not self._stop.is_set():
                if not self._open(waiting):
                    break
            for key, _ in waiting.select(0.1):
                self._read(waiting, key.fileobj)
            if time.monotonic() >= due:
                due = time.monotonic() + DRIP_SECONDS
                for key in list(waiting.get_map().values()):
                    with contextlib.suppress(OSError):
                        key.fileobj.send(b"x")  # type: ignore[union-attr]
        for key in list(waiting.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        waiting.close()

    def stop(self) -> None:
        """Close them all."""
        self._stop.set()

    def _open(self, waiting: selectors.BaseSelector) -> bool:
        made = socket.socket()
        made.settimeout(1)
        try:
            made.connect(("127.0.0.1", self.port))
            made.sendall(HEAD)
        except OSError:  # the queue of connections that wait to be accepted is full
            made.close()
            self.refused += 1
            return False
        made.setblocking(False)
        waiting.register(made, selectors.EVENT_READ)
        self.opened += 1
        return True

    @staticmethod
    def _read(waiting: selectors.BaseSelector, connection: object) -> None:
        assert isinstance(connection, socket.socket)
        try:
            over = not connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            over = True
        if over:
            waiting.unregister(connection)
            connection.close()


def measure(url: str, seconds: float) -> list[float | None]:
    """Seconds of one request after another, each on a connection of its own; None for each that failed."""
    taken: list[float | None] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        start = time.monotonic()
        try:
            good = httpx.get(f"{url}/v1/models", timeout=ANSWER_SECONDS).status_code == 200
        except httpx.HTTPError:
            good = False
        taken.append(time.monotonic() - start if good else None)
        time.sleep(0.05)
    return taken


def line(count: int, taken: list[float | None], crowd: Crowd | None) -> str:
    """The figures as a row of a table."""
    good = sorted(each for each in taken if each is not None)
    middle = f"{statistics.median(good) * 1000:.0f} ms" if good else "-"
    most = f"{good[-1] * 1000:.0f} ms" if good else "-"
    opened = f", opened {crowd.opened}, not let in {crowd.refused}" if crowd else ""
    return f"| {count} | {len(taken)} | {len(taken) - len(good)} | {middle} | {most} |{opened}"


def main() -> int:
    """Print a row for each number of connections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[0, 2400, 4700, 6000])
    parser.add_argument("--seconds", type=float, default=15.0, help="to measure at each number")
    parser.add_argument("--tree", type=Path, help="checkout whose api is started; this one by default")
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print("| slow connections | requests | failed | median | longest |\n| ---: | ---: | ---: | ---: | ---: |")
    for count in given.counts:
        with tempfile.TemporaryDirectory(prefix="stemsvc-slow-") as folder:
            print(_one(Path(folder), count, given.seconds, given.tree), flush=True)
    return 0


def _one(folder: Path, count: int, seconds: float, tree: Path | None) -> str:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    elsewhere = ["env", f"--chdir={tree}", f"PYTHONPATH={tree}"] if tree else []
    environment = plain_environment(
        STEMSVC_DATA_DIR=str(folder / "data"), STEMSVC_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0"
    )

    def answers(_: LocalProcess) -> bool:
        try:
            return httpx.get(f"{url}/healthz/live", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    api = LocalProcess("api", [*elsewhere, *stemsvc("api", "--port", str(port))], environment, folder, answers)
    crowd = Crowd(port, count)
    thread = threading.Thread(target=crowd.run)
    try:
        api.ready()
        thread.start()
        deadline = time.monotonic() + 60
        while crowd.opened < count and crowd.refused < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        return line(count, measure(url, seconds), crowd)
    finally:
        crowd.stop()
        if thread.ident:
            thread.join()
        api.teardown()


if __name__ == "__main__":
    sys.exit(main())
