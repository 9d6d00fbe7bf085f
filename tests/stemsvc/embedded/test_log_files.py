"""The logs of `up` do not grow for ever, and `stemsvc logs` shows them."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.embedded.log_files import aside, logs, rotate, tail
from tests.processes import plain_environment, stemsvc, wait_for


def test_a_full_log_is_put_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("ab", buffering=0) as writer:  # as the processes of a stack write
        for number in range(60):
            writer.write(f"line {number}\n".encode() * 20)
            rotate(tmp_path, 1000, 3)
        writer.write(b"the end\n")

    assert log.read_text().endswith("the end\n")
    assert [path.name for path in aside(log)] == ["api.log.3", "api.log.2", "api.log.1"]
    whole = "".join(path.read_text() for path in (*aside(log), log))
    numbers = [int(line.split()[1]) for line in whole.splitlines()[:-1]]
    assert numbers == sorted(numbers)  # in order, and nothing lost in between
    assert set(range(numbers[0], 60)) == set(numbers)
    assert all(path.stat().st_mode & 0o077 == 0 for path in aside(log))
    assert logs(tmp_path) == {"api": log}


def test_no_line_is_lost_where_nobody_writes_meanwhile_and_0_means_never(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_bytes(b"x" * 5000)
    rotate(tmp_path, 0, 3)
    assert log.stat().st_size == 5000
    rotate(tmp_path, 4999, 0)  # nothing is kept aside
    assert (log.stat().st_size, aside(log)) == (0, [])


def test_a_log_that_can_not_be_copied_is_emptied_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_bytes(b"x" * 5000)
    (tmp_path / "api.log.1").mkdir()  # no file can be written there
    (tmp_path / "api.log.1" / "x").write_text("x")
    rotate(tmp_path, 1000, 1)
    assert log.stat().st_size in (0, 5000)


@pytest.mark.parametrize("lines", [0, 1, 7, 1000, 100_000])
def test_the_end_of_a_log_is_read_from_its_end(tmp_path: Path, lines: int) -> None:
    log = tmp_path / "api.log"
    written = [f"line {number} {'x' * 50}" for number in range(20_000)]
    (tmp_path / "api.log.2").write_text("\n".join(written[:5000]) + "\n")
    (tmp_path / "api.log.1").write_text("\n".join(written[5000:19_000]) + "\n")
    log.write_text("\n".join(written[19_000:]) + "\n")

    assert tail(log, lines) == (written[-lines:] if lines else [])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path))
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def show(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["logs", *arguments])


def test_logs_are_shown_by_process_and_by_job(folder: Path) -> None:
    assert "no_logs" in show().stderr
    (folder / "api.log").write_text("one abc\ntwo\n\x1b[31mthree\n")
    (folder / "worker-cpu.log").write_text("four abc\n")

    assert show("api", "-n", "2").stdout == "two\n\ufffd[31mthree\n"
    assert show("--job", "abc").stdout == "api        | one abc\nworker-cpu | four abc\n"
    assert [json.loads(line) for line in show("--json", "-n", "1").stdout.splitlines()] == [
        {"process": "api", "line": "\x1b[31mthree"},
        {"process": "worker-cpu", "line": "four abc"},
    ]
    refused = show("nobody")
    assert (refused.exit_code, "api, worker-cpu" in refused.stderr) == (1, True)


def test_logs_are_followed_also_when_they_are_put_aside(folder: Path) -> None:
    log = folder / "api.log"
    log.write_text("first\n")
    command = stemsvc("logs", "api", "-f")
    environment = plain_environment(STEMSVC_DATA_DIR=str(folder.parent), PYTHONUNBUFFERED="1")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen: list[str] = []
    assert process.stdout
    stdout = process.stdout
    reader = threading.Thread(target=lambda: seen.extend(iter(stdout.readline, "")))
    reader.start()
    try:
        wait_for("the first line", lambda: seen == ["first\n"])
        with log.open("a") as file:
            file.write("second\n")
        wait_for("the second line", lambda: seen[1:] == ["second\n"])
        rotate(folder, 5, 1)
        with log.open("a") as file:
            file.write("third\n")
        wait_for("the third line", lambda: seen[2:] == ["third\n"])
    finally:
        process.terminate()
        process.wait(30)
        reader.join()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
