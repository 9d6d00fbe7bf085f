"""`stemsvc chat`, at a service whose jobs are done by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.control.services import Services
from tests.api.conftest import app_settings, client, parts, url
from tests.api.views.test_conversations import BEAT, do

__all__ = ["app_settings", "client", "parts", "url"]


@pytest.fixture
def chat(url: str, parts: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Runs the command, while workers do what it asks for."""
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(parts.settings.data_dir))
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            for each in parts.store.workflows.page(None, (), 100, None).workflows:
                do(parts, each.id)

    worker = threading.Thread(target=work)
    worker.start()
    yield lambda *arguments, **how: CliRunner().invoke(main, ["chat", "--url", url, *arguments], **how)
    over.set()
    worker.join()


def lines(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_plan_is_a_card_and_a_yes_runs_it(chat: Callable[..., Result], tmp_path: Path) -> None:
    done = chat(BEAT, "yes", "mute the drums", "-o", str(tmp_path))

    assert done.exit_code == 0, done.output
    told = done.stdout.splitlines()
    assert told[0].startswith("trap, 140 bpm, C minor. It takes about ")
    assert told[1].startswith("  make  generate: ")
    assert "s in all" in told[2]
    assert told[3].startswith("Version 1 is being made")
    assert Path(told[4]).read_bytes() == b"la la"
    assert told[5].startswith("trap, 140 bpm, C minor, without drums. ")
    assert "make: succeeded" in done.stderr

    again = chat("--last", "undo", "--json", "-o", str(tmp_path))  # drops the plan; the version is still there
    reply, result = lines(again)
    assert (reply["version"], result["state"], result["workflow"]) == (1, "succeeded", reply["workflow_id"])
    assert list(result["files"]) == ["make.mix"]


def test_programs_get_a_line_of_json_for_each_reply(chat: Callable[..., Result]) -> None:
    done = chat("--run", "--json", input=f"{BEAT}\n\nstatus\n")

    plan, result, status = lines(done)
    assert (plan["kind"], plan["state"], result["state"]) == ("plan", "confirmed", "succeeded")
    assert status["text"] == "Version 1 is ready: 100 %."
    assert done.exit_code == 0
    conversation = done.stderr.split()[1]
    assert lines(chat("-c", conversation, "show me all versions", "--json"))[0]["text"].startswith("version 1")


def test_exit_codes_tell_what_went_wrong(chat: Callable[..., Result], parts: Services, tmp_path: Path) -> None:
    assert chat("whatever the weather").exit_code == 3
    assert "stemsvc: conversation_not_found: " in chat("-c", "0" * 32, "hello").stderr
    assert chat("-c", "x", "--last").exit_code == 2
    song = tmp_path / "song.wav"
    song.write_bytes(b"la la")
    assert chat("--song", str(song), "make it slower").exit_code == 3
    (key,) = [each.id for each in parts.store.conversations.page("", "slower", 1, None).conversations]
    found = parts.store.conversations.get(key)
    assert found is not None
    parts.store.uploads.delete(found.state["song"]["upload_id"])
    problem = chat("-c", key, "split it")
    assert (problem.exit_code, "no such upload" in problem.stdout) == (1, True)
