"""What we write, no other user of the machine can read; what users share, they go on sharing."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from stemsvc.cli.checks import examine
from stemsvc.cli.main import main
from stemsvc.embedded import background
from stemsvc.embedded.ports import free_port
from stemsvc.host.folders import (
    for_the_caller,
    made_once,
    open_shared,
    open_to_others,
    private,
    private_folder,
    share,
    shared_folder,
    tighten,
)
from stemsvc.jobstore.engine import migrate
from stemsvc.settings import Settings
from tests.processes import LocalProcess, plain_environment, stemsvc, wait_for

OTHERS = 0o077


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def readable(folder: Path) -> list[str]:
    """What other users could open in a folder, were they let into it."""
    return sorted(
        str(path.relative_to(folder))
        for path in (folder, *folder.rglob("*"))
        if mode(path) & OTHERS and not path.is_symlink()
    )


def old_folder(folder: Path) -> Path:
    """A data folder as release 0.2 left it: with the umask that most systems have."""
    files = (
        "jobs.sqlite",
        "jobs.sqlite-wal",
        "objects/jobs/a/attempt-1/vocals.flac",
        "redis/appendonlydir/appendonly.aof.1.incr.aof",
        "run/lock",
        "logs/api.log",
        "metrics/7/counter_7.db",
        "scratch/job-1/input",
    )
    before = os.umask(0o022)
    try:
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("secret")
    finally:
        os.umask(before)
    return folder


def test_a_process_of_ours_makes_what_only_its_user_can_read(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with private():
            (tmp_path / "ours").mkdir()
            (tmp_path / "ours" / "file").touch()
            with for_the_caller():
                (tmp_path / "theirs").touch()
            (tmp_path / "again").touch()
        (tmp_path / "after").touch()
        with for_the_caller():
            (tmp_path / "outside").touch()
    finally:
        os.umask(before)

    assert [mode(tmp_path / name) for name in ("ours", "ours/file", "again")] == [0o700, 0o600, 0o600]
    assert [mode(tmp_path / name) for name in ("theirs", "after", "outside")] == [0o644] * 3


def test_a_folder_of_an_older_release_is_closed(tmp_path: Path) -> None:
    folder = old_folder(tmp_path / "data")
    outside = tmp_path / "outside"
    outside.write_text("somebody's")
    outside.chmod(0o644)
    (folder / "objects" / "link").symlink_to(outside)
    (folder / "notes.txt").write_text("the operator's own")
    (folder / "notes.txt").chmod(0o644)
    assert {path.name for path in open_to_others(folder)} >= {"data", "jobs.sqlite", "objects", "logs"}

    private_folder(folder)

    assert (mode(folder), mode(folder / "objects"), mode(folder / "jobs.sqlite")) == (0o700, 0o700, 0o600)
    assert readable(folder) == ["notes.txt"]
    assert mode(outside) == 0o644
    assert open_to_others(folder) == []
    assert (folder / "logs" / "api.log").read_text() == "secret"


def test_a_part_of_the_folder_that_lies_elsewhere_is_closed_too(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    old_folder(disk)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "objects").symlink_to(disk / "objects")

    tighten(tmp_path / "data")

    assert readable(disk / "objects") == []


def test_a_folder_of_others_is_left_and_what_is_ours_in_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common, home = old_folder(tmp_path / "tmp"), old_folder(tmp_path / "home")
    common.chmod(0o1777)
    home.chmod(0o755)
    monkeypatch.setenv("HOME", str(home))

    tighten(common)
    tighten(home)

    assert (mode(common), mode(home)) == (0o1777, 0o755)
    assert (readable(common), readable(home)) == (["."], ["."])


def test_a_scratch_disk_that_everybody_may_use_stays_so(tmp_path: Path) -> None:
    folder, disk = old_folder(tmp_path / "data"), tmp_path / "disk"
    disk.mkdir()
    disk.chmod(0o1777)
    shutil.rmtree(folder / "scratch")
    (folder / "scratch").symlink_to(disk)

    tighten(folder)

    assert mode(disk) == 0o1777
    assert open_to_others(folder) == []


def test_there_is_nothing_to_close_where_there_is_no_folder(tmp_path: Path) -> None:
    tighten(tmp_path / "none")

    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a process as another user")
def test_another_user_is_kept_out() -> None:
    base = Path(tempfile.mkdtemp(prefix="stemsvc-other-"))  # pytest's own folders are closed to other users
    try:
        folder = old_folder(base / "data")
        base.chmod(0o755)
        cache = base / "cache"
        with private():
            cache.mkdir()
            cache.chmod(0o755)
            shared_folder(cache / "weights")
            (cache / "weights" / "net.safetensors").write_text("weights")
            share(cache / "weights" / "net.safetensors")

        def read(path: Path) -> bool:
            return (
                subprocess.run(["cat", path], capture_output=True, user=65534, group=65534, extra_groups=[]).returncode
                == 0
            )

        assert read(folder / "jobs.sqlite")
        tighten(folder)
        assert not read(folder / "jobs.sqlite")
        assert read(cache / "weights" / "net.safetensors")
    finally:
        subprocess.run(["rm", "-rf", base], check=True)


@pytest.mark.parametrize(
    ("around", "folder", "file", "lock"),
    [
        (0o755, 0o755, 0o644, 0o644),
        (0o700, 0o700, 0o600, 0o600),
        (0o2775, 0o2775, 0o664, 0o664),
        (0o1777, 0o755, 0o644, 0o666),
        (0o750, 0o750, 0o640, 0o640),
    ],
)
def test_what_is_shared_is_as_open_as_its_folder(
    tmp_path: Path, around: int, folder: int, file: int, lock: int
) -> None:
    base = tmp_path / "shared"
    base.mkdir()
    base.chmod(around)
    with private():
        shared_folder(base / "cache" / "weights")
        (base / "file").touch()
        share(base / "file")
        os.close(open_shared(base / "lock"))
        os.close(open_shared(base / "lock"))

    assert [mode(base / name) for name in ("cache", "cache/weights", "file", "lock")] == [folder, folder, file, lock]
    assert mode(base) == around


def test_of_many_who_make_a_file_at_once_one_does(tmp_path: Path) -> None:
    path = tmp_path / "made" / "key"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda number: made_once(path, lambda: str(number)), range(16)))

    assert len(found) == 1
    assert made_once(path, lambda: "other") in found
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert [each.name for each in path.parent.iterdir()] == ["key"]


def finding(settings: Settings, part: str) -> tuple[bool, str]:
    (found,) = (each for each in examine(settings) if each.part == part)
    return found.ok, found.what


@pytest.fixture
def quick_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stemsvc.cli.checks._device", lambda kind: "not looked at here")


@pytest.mark.usefixtures("quick_doctor")
def test_doctor_says_whether_others_can_read_the_data(settings: Settings) -> None:
    assert finding(settings, "data folder")[0]
    old_folder(settings.data_dir)
    for name in ("jobs.sqlite", "jobs.sqlite-wal"):
        (settings.data_dir / name).unlink()
    migrate(settings.resolved_database_url)
    ok, what = finding(settings, "data folder")
    assert not ok
    assert "folder_open" in what
    assert str(settings.data_dir / "objects") in what

    tighten(settings.data_dir)
    assert finding(settings, "data folder")[0]
    (settings.data_dir / "jobs.sqlite").chmod(0o640)
    assert finding(settings, "data folder") == (False, f"folder_open: {settings.data_dir / 'jobs.sqlite'}")


def umasks(pid: int) -> set[str]:
    """The umasks of a process and of all that it started."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = {re.findall(r"^Umask:\s*(\d+)$", status, re.MULTILINE)[0]}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found |= umasks(int(child))
    return found


@pytest.mark.long
def test_every_server_keeps_what_it_writes_to_itself(redis_url: str, tmp_path: Path) -> None:
    # given a shell with the usual umask, and a data folder of release 0.2
    folder, port = old_folder(tmp_path / "data"), free_port()
    (folder / "jobs.sqlite").unlink()
    (folder / "jobs.sqlite-wal").unlink()
    environment = plain_environment(
        STEMSVC_DATA_DIR=str(folder), STEMSVC_BROKER_URL=redis_url, STEMSVC_API_PROCESSES="1", STEMSVC_API_STREAMS="1"
    )

    def answers(_: LocalProcess) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    ready = folder / "ready"
    commands = {"dispatcher": ["dispatcher"], "fetcher": ["fetcher", "--concurrency", "1"]}
    before = os.umask(0o022)
    processes = []
    try:
        processes.append(LocalProcess("api", stemsvc("api", "--port", str(port)), environment, tmp_path, answers))
        processes[0].ready()
        for name, command in commands.items():
            alone = {**environment, "STEMSVC_READY_FILE": str(ready), "STEMSVC_ALIVE_FILE": str(folder / name)}
            processes.append(LocalProcess(name, stemsvc(*command), alone, tmp_path, lambda _: True))
        wait_for("the dispatcher and the fetcher", lambda: ready.exists() and (folder / "dispatcher").exists())
        file = {"file": ("a.wav", b"RIFF" + bytes(100))}
        assert httpx.post(f"http://127.0.0.1:{port}/v1/jobs", files=file, timeout=20).status_code == 201
        masks = {process.name: umasks(process.pid) for process in processes}
        seen = readable(folder)
    finally:
        os.umask(before)
        for process in processes:
            process.teardown()

    assert masks == {"api": {"0077"}, "dispatcher": {"0077"}, "fetcher": {"0077"}}
    assert seen == []
    assert list((folder / "objects" / "jobs").glob("*/input"))


@pytest.mark.long
def test_the_whole_stack_keeps_what_it_writes_to_itself(tmp_path: Path) -> None:
    folder = old_folder(tmp_path / "data")
    for name in ("jobs.sqlite", "jobs.sqlite-wal"):
        (folder / name).unlink()
    settings = Settings(data_dir=folder, api_port=free_port(), pools="demo:cpu")
    before = os.umask(0o022)
    try:
        stack = background.start(settings)
        try:
            masks, seen = umasks(stack.pid), readable(folder)
        finally:
            background.stop(settings)
    finally:
        os.umask(before)

    assert masks == {"0077"}
    assert seen == []
    assert (folder / "redis" / "redis.conf").exists()


def test_a_command_that_makes_the_store_keeps_it_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    before = os.umask(0o022)
    try:
        assert CliRunner().invoke(main, ["webhooks", "secret"]).exit_code == 0
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)

    assert readable(tmp_path / "data") == []
    assert {"jobs.sqlite", "secret.key"} <= {path.name for path in (tmp_path / "data").iterdir()}
