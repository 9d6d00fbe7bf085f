"""From the release before to this one while jobs run: real processes of both over one PostgreSQL and one Redis.

The release before is taken from this repository's history. Its processes find their own commands and kinds, because its
folder comes first on their path and has the metadata of a package.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from stemsvc.embedded.ports import free_port
from stemsvc.jobs.record import JobState
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import newest_revision, revisions
from stemsvc.migrations.releases import RELEASES
from tests.processes import LocalProcess, plain_environment, stemsvc, wait_for

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
SONG = ROOT / "stemsvc" / "demo" / "song" / "mixture.flac"
BEFORE = "4c672e68161785ac4caec6981e00badd38ba6296"  # the last one of release 0.2
SECONDS = 300.0


def is_whole() -> bool:
    """Whether this is a checkout with all of its history."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "--is-shallow-repository"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.strip() == "false"


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """The folder of the release before, as Python finds a package."""
    folder = tmp_path / "before"
    known = subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", f"{BEFORE}^{{commit}}"], capture_output=True)
    if known.returncode and not is_whole():
        pytest.skip("this checkout lacks the history: git fetch --unshallow")
    assert known.returncode == 0, f"{BEFORE} is in no history: name the last commit of the release before"
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", BEFORE, "stemsvc", "api", "workers", "pyproject.toml"],
        capture_output=True,
        check=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    metadata = folder / f"stemsvc-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: stemsvc\nVersion: {project['version']}\n")
    groups = (
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in points.items())])
        for group, points in project["entry-points"].items()
    )
    (metadata / "entry_points.txt").write_text("\n\n".join(groups) + "\n")
    return folder


Start = Callable[..., LocalProcess]


@pytest.fixture
def start(tmp_path: Path, postgres_url: str, redis_url: str) -> Iterator[Start]:
    """Starts a process of this release, or of the one in a folder, and ends those that run at the end."""
    started: list[LocalProcess] = []
    settings = {
        "STEMSVC_DATA_DIR": str(tmp_path / "data"),
        "STEMSVC_DATABASE_URL": postgres_url,
        "STEMSVC_BROKER_URL": redis_url,
        "STEMSVC_POOLS": "demo:cpu",
        "STEMSVC_DEFAULT_MODEL": "demo",
        "STEMSVC_CONCURRENCY": "1",
        "OMP_NUM_THREADS": "1",
    }
    (tmp_path / "data").mkdir()

    def run(name: str, *arguments: str, of: Path | None = None) -> LocalProcess:
        paths = [str(of)] if of else [str(ROOT), str(ROOT / "client" / "src")]
        environment = plain_environment(**settings, PYTHONPATH=os.pathsep.join(paths), PYTHONSAFEPATH="1")
        inside = ["sh", "-c", 'cd "$0" && exec "$@"', paths[0]]  # gunicorn looks for modules where it is started
        process = LocalProcess(name, [*inside, *stemsvc(*arguments)], environment, tmp_path, lambda _: True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.teardown()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz/live", timeout=5).is_success
    except httpx.HTTPError:
        return False


def send(url: str) -> str:
    song = {"file": (SONG.name, SONG.read_bytes())}
    answer = httpx.post(f"{url}/v1/separations", data={"model": "demo"}, files=song, timeout=60)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_no_job_is_lost_or_done_twice_while_processes_are_replaced(
    before: Path, start: Start, postgres_url: str, tmp_path: Path
) -> None:
    ports = {name: str(free_port()) for name in ("old", "new")}
    old_url, new_url = (f"http://127.0.0.1:{ports[name]}" for name in ("old", "new"))
    migrated = start("old-migrate", "migrate", of=before)
    wait_for("the old tables", lambda: migrated.status == "exited", SECONDS)
    assert revisions(postgres_url)[0] == RELEASES["0.2"], migrated.logs()
    old = [
        start("old-api", "api", "--host", "127.0.0.1", "--port", ports["old"], of=before),
        start("old-dispatcher", "dispatcher", of=before),
        start("old-worker", "worker", "--model", "demo", "--device", "cpu", of=before),
    ]
    wait_for("the old api", lambda: answers(old_url), SECONDS)
    jobs = [send(old_url) for _ in range(3)]
    shown = f"{old_url}/v1/jobs/{jobs[0]}"
    wait_for("a job to run", lambda: httpx.get(shown, timeout=30).json()["state"] != "queued", SECONDS)

    brought = start("new-migrate", "migrate")
    wait_for("the new tables", lambda: brought.status == "exited", SECONDS)
    assert revisions(postgres_url)[0] == newest_revision(), brought.logs()
    jobs.append(send(old_url))  # the old api goes on over the new tables
    start("new-worker", "worker", "--model", "demo", "--device", "cpu")
    start("new-dispatcher", "dispatcher")
    start("new-api", "api", "--host", "127.0.0.1", "--port", ports["new"])
    wait_for("the new api", lambda: answers(new_url), SECONDS)
    jobs.append(send(new_url))
    for process in old:
        process.kill("SIGTERM")
    jobs.append(send(new_url))

    def ended() -> bool:
        states = [httpx.get(f"{new_url}/v1/jobs/{each}", timeout=30).json()["state"] for each in jobs]
        return not {"queued", "running"} & set(states)

    wait_for("all jobs to end", ended, SECONDS)
    store = JobStore(postgres_url)
    try:
        for each in jobs:
            view = store.view(each)
            assert view is not None
            assert view.job.state is JobState.SUCCEEDED, (view.timeline, [(p.name, p.logs()[-2000:]) for p in old])
            assert sum(event.to_state == "succeeded" for event in view.timeline) == 1
            assert set(view.job.outputs) == {"drums", "bass", "other", "vocals"}
        assert not any(sum(waiting.values()) for waiting in store.waiting().values())
    finally:
        store.close()
