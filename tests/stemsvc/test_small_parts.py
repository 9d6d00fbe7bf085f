"""Settings and the state file: the small parts that everything else leans on."""

from __future__ import annotations

import fcntl
import json
import os

import pytest

from stemsvc.embedded.state import running, state_file
from stemsvc.errors import BadSetting
from stemsvc.settings import Settings


def test_settings_come_from_the_environment_and_go_to_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_API_PORT", "9999")
    monkeypatch.setenv("STEMSVC_S3_ENDPOINT_URL", "")
    settings = Settings(s3_secret_access_key="s3cret")

    assert (settings.api_port, settings.s3_endpoint_url) == (9999, None)
    assert "s3cret" not in repr(settings)
    child = settings.environment()
    assert (child["STEMSVC_API_PORT"], child["STEMSVC_S3_SECRET_ACCESS_KEY"]) == ("9999", "s3cret")


@pytest.mark.parametrize("change", [{"storage": "floppy"}, {"url_ttl_seconds": 604801}, {"lease_seconds": 0}])
def test_settings_that_can_not_work_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadSetting):
        Settings(**change)


def test_a_state_file_that_a_killed_stack_left_is_not_believed(settings: Settings) -> None:
    run = state_file(settings).parent
    run.mkdir(parents=True)
    (run / "lock").touch()
    # given a process id that is alive, but somebody else's
    state_file(settings).write_text(json.dumps({"pid": os.getpid(), "url": "http://x", "broker_url": ""}))

    assert running(settings) is None
    with (run / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = running(settings)
    assert found is not None
    assert found.pid == os.getpid()
