"""What shells do with commands: complete them, pipe them, close the pipe, load no more than they need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete, get_completion_class
from click.testing import CliRunner

from stemsvc.cli.main import OURS, main
from tests.processes import plain_environment, stemsvc
from tests.programs import need

HEAVY = {
    "torch",
    "celery",
    "kombu",
    "flask",
    "httpx",
    "boto3",
    "alembic",
    "numpy",
    "av",
    "yt_dlp",
    "matplotlib",
    "rich",
    "yaml",
}
VARIABLE = "_STEMSVC_COMPLETE"


def complete(*words: str) -> set[str]:
    """What the shell offers for the last word."""
    shell = BashComplete(main, {}, "stemsvc", VARIABLE)
    return {each.value for each in shell.get_completions(list(words[:-1]), words[-1])}


def test_commands_and_options_are_completed() -> None:
    assert complete("st") == {"status", "storage"}
    assert complete("jobs", "re") == {"retry"}
    assert {"--state", "--json"} <= complete("jobs", "--")
    assert complete("jobs", "--state", "fa") == {"failed"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_one(shell: str, tmp_path: Path) -> None:
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(main, {}, "stemsvc", VARIABLE).source()
    assert VARIABLE in script
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([program, "-n" if shell != "fish" else "--no-execute", tmp_path / "script"], check=True)


@pytest.mark.long
def test_bash_completes_what_the_docs_say(tmp_path: Path) -> None:
    program = tmp_path / "stemsvc"
    program.write_text(f"#!/bin/sh\nexec '{Path(sys.executable).parent / 'stemsvc'}' \"$@\"\n")
    program.chmod(0o755)
    script = (
        f'eval "$({VARIABLE}=bash_source stemsvc)"; COMP_WORDS=(stemsvc jobs re); COMP_CWORD=2; '
        '_stemsvc_completion stemsvc; echo "${COMPREPLY[@]}"'
    )
    environment = plain_environment(PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run([need("bash"), "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "retry\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder over which something was started."""
    folder = tmp_path_factory.mktemp("data")
    command = stemsvc("webhooks", "secret")
    subprocess.run(command, env=plain_environment(STEMSVC_DATA_DIR=str(folder)), check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        "jobs",
        *(pytest.param(words, marks=pytest.mark.long) for words in ("webhooks secret", "webhooks secret --json")),
        *(pytest.param(words, marks=pytest.mark.long) for words in ("keys list", "status", "--help")),
    ],
)
def test_a_command_loads_what_it_needs_and_no_more(data: Path, words: str) -> None:
    script = (
        "import sys\nfrom stemsvc.cli.main import main\n"
        f"try:\n    main({words.split()!r}, prog_name='stemsvc')\nexcept SystemExit:\n    pass\n"
        f"print(*sorted({HEAVY!r} & sys.modules.keys()), file=sys.stderr)"
    )
    environment = plain_environment(STEMSVC_DATA_DIR=str(data))
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert done.stderr.splitlines()[-1].split() == []


@pytest.mark.parametrize("words", ["--help", "config", "jobs --json"])
def test_a_closed_pipe_is_no_traceback(data: Path, words: str) -> None:
    environment = plain_environment(STEMSVC_DATA_DIR=str(data), PYTHONUNBUFFERED="1")
    command = stemsvc(*words.split())
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process.stderr as stderr:
        said = stderr.read()
    process.wait(60)

    assert said == ""


def test_a_name_that_the_terminal_can_not_show_ends_no_command(data: Path) -> None:
    environment = plain_environment(STEMSVC_DATA_DIR=str(data), PYTHONIOENCODING="ascii")
    done = subprocess.run(stemsvc("keys", "create", "caf\u00e9"), env=environment, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert b"caf" in done.stderr


# Commands that neither list nor show, by what they do instead.
WITHOUT_JSON = {
    "they run until they are stopped": "api dispatcher fetcher worker flower mcp up",
    "they act, and say so in a line": (
        "backup restore down migrate recover models.add models.convert models.lock models.prune models.pull "
        "jobs.cancel jobs.delete keys.change keys.disable-auth keys.rename keys.revoke pools.drain pools.resume "
        "secrets.decrypt secrets.encrypt storage.create webhooks.replay"
    ),
    "they print one secret, for `$(...)`": "keys.create keys.rotate secrets.new-key webhooks.rotate",
    "what they print is JSON": "storage.cors storage.lifecycle storage.policy",
    "they are for eyes": "demo",
    "they measure, and print tables of figures": (
        "bench.api bench.audio bench.engine bench.generate bench.quality bench.queue bench.workflows"
    ),
}


def commands(command: click.Command, *words: str) -> Iterator[tuple[str, click.Command]]:
    """What can be called, by its words: groups too where they do something by themselves."""
    if not isinstance(command, click.Group):
        yield ".".join(words), command
        return
    if command.invoke_without_command:
        yield ".".join(words), command
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found
        yield from commands(found, *words, name)


def test_everything_that_lists_or_shows_has_json() -> None:
    lacking = {
        name for name, command in commands(main) if not any("--json" in option.opts for option in command.params)
    }
    assert lacking == {name for names in WITHOUT_JSON.values() for name in names.split()}


@pytest.mark.parametrize("name", OURS)
def test_every_command_explains_itself(name: str) -> None:
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0
    assert len(done.output.splitlines()) > 4
