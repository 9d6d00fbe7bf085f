"""The whole service as real processes that a test may kill, stop, starve and start again."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
from celery import Celery
from pytest_celery import CeleryTestBroker, CeleryTestWorker
from stemsvc_client import Client, Retry, TransientError

from stemsvc.demo.render import render_song
from stemsvc.embedded.ports import free_port
from stemsvc.queue.celery import AWAY, make_celery
from stemsvc.settings import Settings
from tests.conftest import ACCESS_KEY, SECRET_KEY, rclone_command
from tests.faults.answers import Answers
from tests.faults.brokers import Broker, Rabbit, Redis
from tests.faults.postgres import Postgres
from tests.faults.proxy import Mood, Proxy
from tests.faults.reader import Expectation, Findings, Reader
from tests.processes import LocalProcess, plain_environment, stemsvc, wait_for
from tests.sounds import write_sound

SHORT, LONG = 1.0, 100.0  # seconds of song: one that is done at once, one that a fault can hit in the middle
RATE = 44100
LEASE = 3.0
LONGEST = 600.0  # seconds of the longest track that is accepted
SCRATCH_MB = 400
DISK_MB = 200  # of each other small disk: two runs' songs, stems and previews fill 100
BROKERS = ("redis", "rabbitmq")
DISKS = "disks"  # the stage on Redis, SQLite and a folder of objects, where each folder is a small disk


class Stage:
    """The service under test, on Redis and SQLite or on RabbitMQ and PostgreSQL, its stems in an S3 storage.

    `name` is one of `BROKERS` or `DISKS`. `broker` and `workers` are pytest-celery's nodes. `trouble` causes faults in
    the broker, `proxy` in the storage, `answers` at commits in PostgreSQL. `front` is what the dispatcher reaches
    PostgreSQL by. `changes` go before the stage's own settings. `fetcher` runs if it is asked for.
    """

    def __init__(self, folder: Path, name: str, *, fetcher: bool = False, **changes: str) -> None:
        self.folder = folder
        self.name = name
        folder.mkdir(parents=True)
        self.trouble: Broker = Rabbit(folder) if name == "rabbitmq" else Redis(folder, plain_environment())
        self.postgres: Postgres | None = None
        self.servers: list[Postgres] = []  # that one, and those that a failover left or made
        self.answers: Answers | None = None
        self.front: Answers | None = None
        self.fetcher: LocalProcess | None = None
        self._with_fetcher = fetcher
        self._changes = changes
        self.scratch = folder / "disk" / "scratch"
        self.scratch.mkdir(parents=True)
        self.database = folder / "database"  # the folder of the tables
        self.objects = folder / "data" / "objects" if name == DISKS else folder / "objects" / "stems"
        self.songs = {seconds: self._song(seconds) for seconds in (SHORT, LONG)}
        self.expected: dict[str, Expectation] = {}  # id of an accepted job -> how it must end
        self.injected = 0  # faults
        self.crowd = 40  # jobs of a fault that needs many

    # --- the parts

    def start(self, cleanup: contextlib.ExitStack) -> None:
        """Start everything and wait until it answers; `cleanup` ends it."""
        for folder in (self.database, self.objects, self.folder / "data" / "metrics"):
            folder.mkdir(parents=True)
            if self.name == DISKS:
                mount(folder, cleanup, DISK_MB)
        self.limited = mount(self.scratch, cleanup, SCRATCH_MB)
        self._start_storage(cleanup)
        database = f"sqlite:///{self.database / 'jobs.sqlite'}"
        if self.name == "rabbitmq":
            # not in pytest's folder: PostgreSQL has its own user, and the next pytest takes that user's access away
            data = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="stemsvc-postgres-"))
            self.postgres = Postgres.made(Path(data) / "data")
            self.servers.append(self.postgres)
            cleanup.callback(self._stop_servers)
            self.answers = cleanup.enter_context(Answers(self.postgres.socket))
            self.front = cleanup.enter_context(Answers(self.postgres.socket))
            database = f"postgresql://postgres:@127.0.0.1:{self.front.port}/postgres"
        self.environment = plain_environment(
            STEMSVC_DATA_DIR=str(self.folder / "data"),
            STEMSVC_DATABASE_URL=database,
            STEMSVC_BROKER_URL=self.trouble.url,
            STEMSVC_LEASE_SECONDS=str(LEASE),
            STEMSVC_POOLS="demo:cpu,generate:cpu",
            STEMSVC_DISPATCH_INTERVAL_SECONDS="0.2",
            STEMSVC_REPUBLISH_SECONDS="1",
            STEMSVC_RETRY_BASE_SECONDS="0.2",
            STEMSVC_SHUTDOWN_GRACE_SECONDS="31",
            STEMSVC_CONCURRENCY="1",
            STEMSVC_SCRATCH_DIR=str(self.scratch),
            STEMSVC_RESULT_CACHE="false",
            STEMSVC_JANITOR_INTERVAL_SECONDS="1",
            STEMSVC_RETRY_CAP_SECONDS="5",
            STEMSVC_MIN_FREE_BYTES="1000000",
            STEMSVC_MAX_DURATION_SECONDS=str(LONGEST),
            STEMSVC_API_PROCESSES="1",
            STEMSVC_STORAGE="s3",
            STEMSVC_S3_ENDPOINT_URL=f"http://127.0.0.1:{self.proxy.port}",
            STEMSVC_S3_BUCKET="stems",
            STEMSVC_S3_REGION="us-east-1",
            STEMSVC_S3_ACCESS_KEY_ID=ACCESS_KEY,
            STEMSVC_S3_SECRET_ACCESS_KEY=SECRET_KEY,
        )
        if self.name == DISKS:
            self.environment["STEMSVC_STORAGE"] = "local"
        self.environment |= self._changes
        self.answered = dict(self.environment)  # of the processes whose commits go through `answers`
        if self.answers:
            url = f"postgresql://postgres:@127.0.0.1:{self.answers.port}/postgres"
            self.answered["STEMSVC_DATABASE_URL"] = url
        cleanup.callback(self.trouble.close)
        self.app: Celery = make_celery(Settings(broker_url=self.trouble.url))
        cleanup.callback(self.app.close)
        process = LocalProcess(
            self.trouble.name,
            self.trouble.command,
            self.trouble.environment,
            self.folder,
            lambda _: self.trouble.answers(),
            self.trouble.url,
        )
        cleanup.callback(process.teardown)
        process.ready()
        self.broker = CeleryTestBroker(process)
        self.api, self.url = self.start_api(cleanup, "api")
        self.dispatcher = self._process(cleanup, "dispatcher", stemsvc("dispatcher"), lambda _: True)
        self.workers = [self._worker(cleanup, f"worker-{n}") for n in range(2)]
        if self._with_fetcher:
            command = stemsvc("fetcher", "--concurrency", "2")
            self.fetcher = self._process(cleanup, "fetcher", command, self._pings, environment=self.answered)
            self.fetcher.ready()
        for worker in self.workers:
            worker.container.ready()
        self.client = cleanup.enter_context(Client(self.url, retry=Retry(0)))
        self.reader = Reader(self.postgres.url if self.postgres else database, self.objects, self.url)

    def start_api(self, cleanup: contextlib.ExitStack, name: str, **changes: str) -> tuple[LocalProcess, str]:
        """Start another api over the same parts with changed settings; returns it and its URL."""
        url = f"http://127.0.0.1:{(port := free_port())}"
        environment = self.answered | changes
        api = self._process(
            cleanup, name, stemsvc("api", "--port", str(port)), lambda _: _is_up(url), environment=environment
        )
        api.ready()
        return api, url

    @contextlib.contextmanager
    def more_workers(self, count: int, **changes: str) -> Iterator[list[CeleryTestWorker]]:
        """All workers and, while the context lasts, `count` more with a changed environment."""
        with contextlib.ExitStack() as cleanup:
            more = [self._worker(cleanup, f"more-{n}", **changes) for n in range(count)]
            for worker in more:
                worker.container.ready()
            yield [*self.workers, *more]

    def _stop_servers(self) -> None:
        for server in self.servers:
            server.stop()

    def _start_storage(self, cleanup: contextlib.ExitStack) -> None:
        (self.folder / "objects").mkdir(exist_ok=True)
        port = free_port()
        self.storage = LocalProcess(
            "rclone",
            rclone_command(f"127.0.0.1:{port}", self.folder / "objects"),
            plain_environment(),
            self.folder,
            lambda _: _answers_http(f"http://127.0.0.1:{port}"),
        )
        cleanup.callback(self.storage.teardown)
        self.storage.ready()
        self.proxy = cleanup.enter_context(Proxy(port))

    def _worker(self, cleanup: contextlib.ExitStack, name: str, **changes: str) -> CeleryTestWorker:
        command = stemsvc("worker", "--model", "demo", "--kind", "generate")
        process = self._process(cleanup, name, command, self._pings, environment=self.answered | changes)
        return CeleryTestWorker(process, self.app)

    def _process(
        self,
        cleanup: contextlib.ExitStack,
        name: str,
        command: list[str],
        ready: Callable[[LocalProcess], bool],
        environment: dict[str, str] | None = None,
    ) -> LocalProcess:
        process = LocalProcess(name, command, environment or self.environment, self.folder, ready)

        def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
                os.kill(process.pid, signal.SIGKILL)
            process.teardown()

        cleanup.callback(end)
        return process

    # --- what a test does

    def send(self, seconds: float = SHORT, ends: str = "succeeded") -> str:
        """Send a song; returns the id of the accepted job."""
        return self.expect(str(self.client.submit(self.songs[seconds], stems="vocals")["id"]), seconds, ends)

    def send_many(self, count: int) -> list[str]:
        """Send short songs, ten at a time."""
        with ThreadPoolExecutor(10) as pool:
            return list(pool.map(lambda _: self.send(), range(count)))

    def expect(self, job_id: str, seconds: float = SHORT, ends: str = "succeeded") -> str:
        """Note how an accepted job must end; returns its id."""
        self.expected[job_id] = Expectation(ends, round(seconds * RATE))
        return job_id

    def in_the_middle(self, job_id: str) -> int:
        """Wait until the job is being separated; returns the pid of the pool process that runs it."""

        def look() -> int | None:
            job = self.client.job(job_id)
            assert job["state"] in ("queued", "running"), job
            if job["state"] == "running" and 0 < job["progress"]["fraction"] < 0.7:
                return int(job["timeline"][-1]["worker"].rsplit(":", 1)[1])
            return None

        return wait_for("the job to be separated", look)

    def both_busy(self, ends: str = "succeeded") -> list[str]:
        """Send two long jobs, one for each worker: one computes, the other has decoded and waits for the device."""
        jobs = [self.send(LONG, ends) for _ in range(2)]
        wait_for("two running jobs", lambda: all(self.client.job(job_id)["state"] == "running" for job_id in jobs))
        return jobs

    def end(self, *job_ids: str, seconds: float = 120.0) -> float:
        """Wait until these jobs have ended; returns the seconds that it took."""
        start = time.monotonic()
        for job_id in job_ids:
            self.client.wait(job_id, seconds)
        return time.monotonic() - start

    def worker_of(self, child: int) -> CeleryTestWorker:
        """The node that has this pool process."""
        parent = int(Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[1])
        return next(worker for worker in self.workers if worker.container.pid == parent)

    def attempts(self, job_id: str) -> int:
        """How often the job was started."""
        return int(self.client.job(job_id)["attempt"])

    def error(self, job_id: str) -> str | None:
        """The code of the job's error."""
        error = self.client.job(job_id)["error"]
        return str(error["code"]) if error else None

    def fault(self) -> None:
        """Count one fault. Call this where the fault is injected."""
        self.injected += 1

    # --- between two faults

    def heal(self) -> None:
        """Start the processes again that a fault has left dead."""
        self.proxy.mood = Mood.FINE
        if self.postgres:
            self.postgres.start()
        for process in self.processes():
            if process.status != "running":
                process.restart()

    def processes(self) -> list[LocalProcess]:
        """All of the service's processes, and the broker's and the storage's; those that others need come first."""
        ours = (self.api, self.dispatcher, *(worker.container for worker in self.workers))
        return [self.storage, self.broker.container, *ours, *([self.fetcher] if self.fetcher else [])]

    def inspect(self) -> Findings:
        """The reader's findings, after workers had up to 10 s to erase the files of attempts that lost their lease."""

        def look() -> Findings | None:
            found = self.reader.read(self.expected)
            return None if found else found

        with contextlib.suppress(AssertionError):  # a worker may still be erasing the files of a lost attempt
            wait_for("a clean sheet", lambda: look() is not None, seconds=10)
        return self.reader.read(self.expected)

    def _pings(self, process: LocalProcess) -> bool:
        try:
            replies = self.app.control.ping(timeout=0.5)
        except AWAY:  # a fault may have cut our own connection
            return False
        return any(f"-{process.pid}-" in name for reply in replies for name in reply)

    def _song(self, seconds: float) -> Path:
        sound = np.sum(list(render_song(9600, min(seconds, 10.0)).values()), axis=0).T
        whole = np.tile(sound, (round(seconds / min(seconds, 10.0)), 1)).astype(np.float32)
        return write_sound(self.folder / f"song.{'flac' if seconds == SHORT else 'wav'}", whole, RATE)


def submit_until_accepted(client: Client, song: Path, seconds: float = 60.0) -> str:
    """Send a song again and again, as a patient client does, until it is accepted; returns the job's id."""
    key = uuid.uuid4().hex

    def look() -> str | None:
        try:
            return str(client.submit(song, idempotency_key=key, stems="vocals")["id"])
        except TransientError:
            return None

    return wait_for("a job to be accepted", look, seconds)


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz/ready", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def _answers_http(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code > 0
    except httpx.HTTPError:
        return False


def mount(folder: Path, cleanup: contextlib.ExitStack, megabytes: int) -> bool:
    """Mount a small disk on the folder; returns whether this machine allows it."""
    if platform.system() != "Linux" or os.geteuid() != 0 or not shutil.which("mount"):
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return False
    cleanup.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
    return True


@contextlib.contextmanager
def staged(folder: Path, name: str, *, fetcher: bool = False, **changes: str) -> Iterator[Stage]:
    """A running stage."""
    with contextlib.ExitStack() as cleanup:
        stage = Stage(folder, name, fetcher=fetcher, **changes)
        stage.start(cleanup)
        yield stage
