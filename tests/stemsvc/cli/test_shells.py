"""What shells do with commands: complete them, pipe them, close the pipe, load no more than they need."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stemsvc.cli.main import OURS, main
from tests.processes import plain_environment, stemsvc

HEAVY = {"torch", "celery", "kombu", "flask", "httpx", "boto3", "alembic", "numpy", "av", "yt_dlp", "matplotlib"}


def complete(words: str) -> set[str]:
    """What the shell offers for the last word."""
    environment = {"_STEMSVC_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", "from stemsvc.cli.main import main; main(prog_name='stemsvc')"],
        env=plain_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    return {line.partition(",")[2] for line in done.stdout.splitlines()}


def test_commands_and_options_are_completed() -> None:
    assert complete("stemsvc st") == {"status"}
    assert complete("stemsvc jobs re") == {"retry"}
    assert {"--state", "--json"} <= complete("stemsvc jobs --")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_that_the_docs_name_is_one(shell: str, tmp_path: Path) -> None:
    environment = plain_environment(_STEMSVC_COMPLETE=f"{shell}_source")
    command = [sys.executable, "-c", "from stemsvc.cli.main import main; main(prog_name='stemsvc')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "_STEMSVC_COMPLETE" in done.stdout
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(done.stdout)
        subprocess.run([program, "-n" if shell != "fish" else "--no-execute", tmp_path / "script"], check=True)


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["webhooks", "secret"], ()),
        (["keys", "list"], ()),
        (["jobs"], ()),
        (["status"], ()),
        (["config"], ()),
        (["models"], ("httpx",)),
        (["--help"], ()),
        (["submit", "--help"], ()),
        (["worker", "--help"], ()),
        (["api", "--help"], ()),
    ],
)
def test_a_command_loads_what_it_needs_and_no_more(
    tmp_path: Path, arguments: list[str], allowed: tuple[str, ...]
) -> None:
    environment = plain_environment(STEMSVC_DATA_DIR=str(tmp_path / "data"))
    setup = subprocess.run(stemsvc("webhooks", "secret"), env=environment, capture_output=True, check=False)
    assert setup.returncode == 0, setup.stderr
    script = (
        "import sys\nfrom stemsvc.cli.main import main\n"
        f"try:\n    main({arguments!r}, prog_name='stemsvc')\nexcept SystemExit:\n    pass\n"
        f"print(*sorted({HEAVY!r} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert set(done.stderr.splitlines()[-1].split()) <= set(allowed)


@pytest.mark.parametrize("arguments", [["--help"], ["config"], ["config", "--json"], ["models"], ["webhooks", "list"]])
def test_a_closed_pipe_is_no_traceback(tmp_path: Path, arguments: list[str]) -> None:
    environment = plain_environment(STEMSVC_DATA_DIR=str(tmp_path / "data"), PYTHONUNBUFFERED="1")
    process = subprocess.Popen(
        stemsvc(*arguments), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process.stderr as stderr:
        said = stderr.read()
    process.wait(60)

    assert "Traceback" not in said, said
    assert "BrokenPipe" not in said, said


def test_a_name_that_the_terminal_can_not_show_ends_no_command(tmp_path: Path) -> None:
    environment = plain_environment(STEMSVC_DATA_DIR=str(tmp_path / "data"), PYTHONIOENCODING="ascii")
    for arguments in (["keys", "create", "caf\u00e9"], ["keys", "list"]):
        done = subprocess.run(stemsvc(*arguments), env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert b"caf" in done.stdout


def test_everything_that_lists_or_shows_has_json() -> None:
    listed = [
        *(["config"], ["status"], ["pools"], ["jobs"], ["jobs", "show"], ["jobs", "stuck"], ["jobs", "retry"]),
        *(["keys", "list"], ["webhooks", "list"], ["models"], ["models", "list"], ["models", "verify"]),
        *(["models", "path"], ["report"], ["doctor"], ["submit"], ["separate"]),
    ]
    assert [words for words in listed if "--json" not in CliRunner().invoke(main, [*words, "--help"]).output] == []


@pytest.mark.parametrize("name", OURS)
def test_every_command_explains_itself(name: str) -> None:
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0
    assert len(done.output.splitlines()) > 4
