"""Names, pools, settings, encodings, the catalog: the small parts that everything else leans on."""

from __future__ import annotations

import fcntl
import json
import os

import pytest

from stemsvc.embedded.state import running, state_file
from stemsvc.errors import BadSetting, UsageError
from stemsvc.jobs.encoding import check_encoding
from stemsvc.jobs.filenames import check_template, clean_filename, output_filename
from stemsvc.jobs.record import JobState
from stemsvc.settings import Settings
from tests.specs import job_of, spec_of


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("song.mp3", "song.mp3"),
        ("../../etc/passwd", "passwd"),
        ("C:\\music\\song.mp3", "song.mp3"),
        ("a\x00b\r\n\u202ec.wav", "abc.wav"),
        ('what? "this" <is>*.flac', "what_ _this_ _is__.flac"),
        ("..", "track"),
        ("", "track"),
        ("Ärger über 音楽.ogg", "Ärger über 音楽.ogg"),
    ],
)
def test_file_names_keep_what_is_harmless(given: str, kept: str) -> None:
    assert clean_filename(given) == kept


def test_a_long_file_name_keeps_its_ending() -> None:
    assert clean_filename("x" * 500 + ".mp3") == "x" * 146 + ".mp3"


def named(input_name: str, template: str = "") -> str:
    spec = spec_of("demo", format="aac", filename_template=check_template(template))
    outputs = {"vocals": {"key": "jobs/x/attempt-1/vocals.m4a"}}
    return output_filename(job_of("x", JobState.SUCCEEDED, spec, "p", "k", input_name, outputs=outputs), "vocals")


def test_a_stem_is_named_after_its_song() -> None:
    assert named("my song.mp3") == "my song - vocals.m4a"


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{stem}", "vocals.m4a"),
        ("{name} [{stem}, {model}]", "my song [vocals, demo].m4a"),
        ("../{stem}", "_vocals.m4a"),
        ("{stem}.exe", "vocals.exe.m4a"),
        ("/etc/{stem}", "_etc_vocals.m4a"),
    ],
)
def test_a_template_names_and_leads_nowhere(template: str, name: str) -> None:
    assert named("my song.mp3", template) == name


def test_braces_of_a_song_are_no_template() -> None:
    assert named("{stem}{model}.mp3", "{name} {stem}") == "{stem}{model} vocals.m4a"


@pytest.mark.parametrize(
    "template",
    [
        "{name}",
        "{stem",
        "stem}",
        "{stem} {album}",
        "{stem!r}",
        "{stem.__class__}",
        "{}",
        "{stem}" + "x" * 150,
        "a\u202e{stem}",
        "{stem}\r\nx",
    ],
)
def test_a_template_that_can_not_be_used_is_refused(template: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_template(template)

    assert caught.value.code == "bad_template"


def test_depths_default_to_what_every_player_reads() -> None:
    assert check_encoding("wav", None) == "16"
    assert check_encoding("flac", "24") == "24"
    assert check_encoding("mp3", None) is None


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
