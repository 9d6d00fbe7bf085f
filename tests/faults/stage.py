"""Redis, api, dispatcher and two workers as real processes that a test may kill, stop and start again."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import redis
from celery import Celery
from kombu.exceptions import OperationalError
from pytest_celery import CeleryTestBroker, CeleryTestWorker

from stemsvc.client import Client
from stemsvc.demo.render import render_song
from stemsvc.embedded.redis_server import RedisServer, free_port
from stemsvc.queue import make_celery
from stemsvc.settings import Settings
from tests.faults.reader import Findings, read
from tests.processes import LocalProcess, plain_environment, stemsvc, wait_for
from tests.sounds import write_sound

SHORT, LONG = 1.0, 100.0  # seconds of song: one that is done at once, one that can be met in the middle
LEASE = 3.0


class Stage:
    """The service under test. `broker` and `workers` are pytest-celery's nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._redis = RedisServer(folder / "redis")
        self.environment = plain_environment(
            STEMSVC_DATA_DIR=str(self.data), STEMSVC_BROKER_URL=self._redis.url, STEMSVC_LEASE_SECONDS=str(LEASE),
            STEMSVC_DISPATCH_INTERVAL_SECONDS="0.2", STEMSVC_REPUBLISH_SECONDS="1", STEMSVC_RETRY_BASE_SECONDS="0.2",
            STEMSVC_SHUTDOWN_GRACE_SECONDS="31", STEMSVC_CONCURRENCY="1",
        )  # fmt: skip
        self.app: Celery = make_celery(Settings(broker_url=self._redis.url))
        self.songs = {seconds: self._song(seconds) for seconds in (SHORT, LONG)}
        self.expected: dict[str, str] = {}  # accepted job -> the end it shall have

    def start(self) -> None:
        """Start everything and wait until it answers."""
        self.broker = CeleryTestBroker(
            self._process("redis", self._redis.child.command, lambda _: self._redis.answers(), self._redis.url)
        )
        self.broker.container.ready()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.api = self._process("api", stemsvc("api", "--port", str(port)), lambda _: self._answers())
        self.api.ready()
        self.dispatcher = self._process("dispatcher", stemsvc("dispatcher"), lambda _: True)
        self.workers = [
            CeleryTestWorker(self._process(f"worker-{n}", stemsvc("worker"), self._pings), self.app) for n in range(2)
        ]
        for worker in self.workers:
            worker.container.ready()
        self.client = Client(self.url)

    def stop(self) -> None:
        """End every process."""
        self.client.__exit__(None, None, None)
        for process in (*(worker.container for worker in self.workers), self.dispatcher, self.api):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.teardown()
        self.broker.container.teardown()
        self.app.close()

    # --- what a test does

    def send(self, seconds: float = SHORT, ends: str = "succeeded") -> str:
        """Send a song; returns the id of the accepted job."""
        job_id = str(self.client.submit(self.songs[seconds], stems="vocals")["id"])
        self.expected[job_id] = ends
        return job_id

    def in_the_middle(self, job_id: str) -> int:
        """Wait until the job is being separated; returns the pid of the child that is at it."""

        def look() -> int | None:
            job = self.client.job(job_id)
            assert job["state"] in ("queued", "running"), job
            if job["state"] == "running" and 0 < job["progress"]["fraction"] < 0.7:
                return int(job["timeline"][-1]["worker"].rsplit(":", 1)[1])
            return None

        return wait_for("the job to be separated", look)

    def both_busy(self, ends: str = "succeeded") -> list[str]:
        """Two long jobs, one on each worker: one computes, the other has decoded and waits for the device."""
        jobs = [self.send(LONG, ends) for _ in range(2)]
        wait_for("two running jobs", lambda: all(self.client.job(job_id)["state"] == "running" for job_id in jobs))
        return jobs

    def end(self, *job_ids: str, seconds: float = 90.0) -> float:
        """Wait for these jobs' ends; returns how long that took."""
        start = time.monotonic()
        for job_id in job_ids:
            self.client.wait(job_id, seconds, pause=0.05)
        return time.monotonic() - start

    def worker_of(self, child: int) -> CeleryTestWorker:
        """The node whose child this is."""
        parent = int(Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[1])
        return next(worker for worker in self.workers if worker.container.pid == parent)

    def attempts(self, job_id: str) -> int:
        """How often the job was started."""
        return int(self.client.job(job_id)["attempt"])

    def heal(self) -> None:
        """Start again what a fault has left dead."""
        for process in (self.broker.container, self.api, self.dispatcher, *(w.container for w in self.workers)):
            if process.status != "running":
                process.restart()

    def inspect(self) -> Findings:
        """What the reader says, once what was given up has been erased."""
        frames = round(SHORT * 44100), round(LONG * 44100)
        short = {job_id for job_id in self.expected if self.client.job(job_id)["source"] in (None, {})}
        found = Findings()
        for length in frames:
            with sqlite3.connect(f"file:{self.data / 'jobs.sqlite'}?mode=ro", uri=True) as tables:
                rows = tables.execute("SELECT id FROM jobs WHERE json_extract(source, '$.frames') = ?", (length,))
                ids = {job_id for (job_id,) in rows} | (short if length == frames[0] else set())
            part = read(self.data, self.url, {i: s for i, s in self.expected.items() if i in ids}, length)
            found.lost += part.lost
            found.doubled += part.doubled
            found.wrong += part.wrong
        return found

    # --- how it is done

    def _song(self, seconds: float) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        sound = np.sum(list(render_song(9600, min(seconds, 10.0)).values()), axis=0).T
        whole = np.tile(sound, (round(seconds / min(seconds, 10.0)), 1)).astype(np.float32)
        return write_sound(self.folder / f"song.{'flac' if seconds == SHORT else 'wav'}", whole, 44100)

    def _process(
        self, name: str, command: list[str], ready: Callable[[LocalProcess], bool], url: str = ""
    ) -> LocalProcess:
        return LocalProcess(name, command, self.environment, self.folder, ready, url)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def _pings(self, process: LocalProcess) -> bool:
        try:
            replies = self.app.control.ping(timeout=0.5)
        except (redis.RedisError, OperationalError, OSError):  # a fault may have met our own connection
            return False
        return any(f"-{process.pid}@" in name for reply in replies for name in reply)


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A running stage."""
    stage = Stage(folder)
    try:
        stage.start()
        yield stage
    finally:
        stage.stop()
