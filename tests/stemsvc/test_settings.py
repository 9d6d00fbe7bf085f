"""Settings that can't be are told on one line; what looks like a setting and is none is told too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from limits import parse_many

from stemsvc.cli.main import main
from stemsvc.errors import BadSetting
from stemsvc.host.environment import origin, read_env_file
from stemsvc.settings import Settings, unknown_settings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "lots"),
        ("API_PORT", "99999"),
        ("API_PORT", ""),
        ("API_THREADS", "0"),
        ("RATE_LIMIT", "lots"),
        ("RATE_LIMIT", "10 per fortnight"),
        ("RATE_LIMIT", "10/minute,lots"),
        ("STORAGE", "tape"),
        ("DATA_DIR", ""),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("CURRENCY", "euros"),
        ("RESULT_CACHE", "perhaps"),
        ("ALLOWED_NETWORKS", "10.0.0.0/8,not a network"),
        ("PROXY_NETWORKS", "10.0.0.1/8"),
        ("PUBLIC_URL", "stems.example.org"),
        ("S3_ENDPOINT_URL", "ftp://stems.example.org"),
        ("S3_ENDPOINT_URL", "https://host:port"),
        ("OTLP_ENDPOINT", "http://"),
        ("BROKER_URL", "127.0.0.1:6379"),
        ("BROKER_URL", "http://127.0.0.1"),
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "jobs.sqlite"),
        ("CLIENT_URL", "nowhere"),
        ("TRACE_SHARE", "2"),
        ("TRACE_SHARE", "nan"),
    ],
)
def test_a_bad_value_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"STEMSVC_{name}", value)
    for command in (["status"], ["up", "--detach"], ["jobs"]):
        done = run(*command)

        assert done.exit_code == 2, done.output
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"stemsvc: bad_setting: STEMSVC_{name}: "), line


def test_no_secret_is_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DATABASE_URL": "mysql://me:hunter2@host/db",
        "BROKER_URL": "redis://:hunter2/x@host:6379",  # a slash ends the host, so that a password becomes a port
        "SECRET_KEY": "hunter2",
        "S3_ENDPOINT_URL": "ftp://me:hunter2@host",
        "PUBLIC_URL": "https://me:hunter2/x@host",
        "OTLP_ENDPOINT": "https://hunter2\u2100@host",
        "FLOWER_PASSWORD_FILE": "/no/hunter",
        "BOOTSTRAP_KEY": "hunter2",
    }.items():
        monkeypatch.setenv(f"STEMSVC_{name}", value)
        assert "hunter2" not in run("keys", "list").output
        monkeypatch.delenv(f"STEMSVC_{name}")


@pytest.mark.parametrize(
    "rate", ["600 per minute", "10/second", "10/second;600/hour", "1 per 2 hours", "5/day, 1/second"]
)
def test_a_rate_is_what_the_limiter_reads(rate: str) -> None:
    assert parse_many(rate)
    assert Settings(rate_limit=rate).rate_limit == rate


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("STEMSVC_API_PRT", "STEMSVC_API_PORT"),
        ("STEMSVC_APIPORT", "STEMSVC_API_PORT"),
        ("STEMSVC_BROKER", "STEMSVC_BROKER_URL"),
        ("STEMSVC_S3_BUKET", "STEMSVC_S3_BUCKET"),
        ("STEMSVC_ZZZ", None),
    ],
)
def test_a_name_that_is_none_is_told_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, given: str, nearest: str | None
) -> None:
    monkeypatch.setenv(given, "1")
    assert unknown_settings() == [(given, nearest)]
    said = run("config", "api_port").stderr.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"stemsvc: warning: {given} is not a setting")
    assert (f"did you mean {nearest}?" in said[0]) == (nearest is not None)


def test_known_names_are_not_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"STEMSVC_{name.upper()}", "")
    assert unknown_settings() == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an `.env`. The environment is as it was afterwards."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        "# ours\nOTHER=1\nSTEMSVC_API_PORT=8123\nexport STEMSVC_CURRENCY='USD'\nSTEMSVC_MAX_ATTEMPTS=5\n"
        "STEMSVC_ATEMPTS=5\nSTEMSVC_S3_SECRET_ACCESS_KEY=hunter2\n"
    )
    return tmp_path


def test_the_environment_wins_over_the_file(folder: Path) -> None:
    os.environ["STEMSVC_MAX_ATTEMPTS"] = "7"
    read_env_file(Path(".env"))

    settings = Settings()
    assert (settings.api_port, settings.currency, settings.max_attempts) == (8123, "USD", 7)
    assert [name for name, _ in unknown_settings()] == ["STEMSVC_ATEMPTS"]
    assert [origin(name) for name in ("api_port", "max_attempts", "data_dir")] == [".env", "environment", "default"]
    assert "OTHER" not in os.environ


def test_a_file_that_can_not_be_read_is_one_line(folder: Path) -> None:
    (folder / ".env").write_bytes(b"STEMSVC_CURRENCY=\xff\xfe\n")
    with pytest.raises(BadSetting):
        read_env_file(Path(".env"))


def test_config_shows_values_and_origins_and_hides_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_BROKER_URL", "redis://me:hunter2@host:6379/0")
    monkeypatch.setenv("STEMSVC_DATABASE_URL", "postgresql://me:hunter2@host/db")
    monkeypatch.setenv("STEMSVC_STORAGE_SECRET", "hunter2")
    monkeypatch.setenv("STEMSVC_FETCH_PROXY", "http://me:hunter2@proxy:1")
    for arguments in ((), ("--json",), ("--changed",)):
        assert "hunter2" not in run("config", *arguments).output
    lines = {line.split()[0]: line.split()[1:] for line in run("config").stdout.splitlines() if len(line.split()) > 2}
    assert lines["STEMSVC_BROKER_URL"] == ["redis://me:********@host:6379/0", "environment"]
    assert lines["STEMSVC_API_PORT"] == ["8080", "default"]
    assert len(run("config", "--changed").stdout.splitlines()) == 5
    assert run("config", "STEMSVC_API_PORT", "api_host", "--json").stdout.count("origin") == 2
    refused = run("config", "api_prt")
    assert (refused.exit_code, "bad_arguments" in refused.stderr) == (1, True)
