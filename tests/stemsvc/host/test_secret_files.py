"""Secrets from files: where they are found, what is wrong with one on one line, and how a change is taken up."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from stemsvc.cli.main import main
from stemsvc.errors import BadSetting
from stemsvc.host import secret_files
from stemsvc.host.environment import read_env_file
from stemsvc.host.secret_files import MOST_BYTES
from stemsvc.settings import SECRETS, Settings, unknown_settings

URL = "postgresql://me:hunter2@host/db"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of secrets. Every look is one at the files."""
    monkeypatch.setenv("STEMSVC_SECRETS_DIR", str(tmp_path / "secrets"))
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(secret_files, "LOOK_SECONDS", 0.0)
    (tmp_path / "secrets").mkdir()
    return tmp_path / "secrets"


def mount(folder: Path, version: str, **files: str) -> None:
    """Put files there as Kubernetes does: links to a folder, whose own link is replaced at one moment."""
    (folder / version).mkdir()
    for name, text in files.items():
        (folder / version / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data", name))
    (folder / "..new").symlink_to(version)
    (folder / "..new").replace(folder / "..data")


def test_every_secret_may_be_a_file_and_is_taken_for_one() -> None:
    hidden = {name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert hidden <= SECRETS.keys()
    assert all(name in Settings.model_fields for name in SECRETS)


@pytest.mark.parametrize(
    "name", ["STEMSVC_DATABASE_URL", "stemsvc_database_url", "DATABASE_URL", "database_url", "database-url"]
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_in_the_folder_is_named_as_its_setting(folder: Path, name: str, end: str) -> None:
    (folder / name).write_bytes(f"{URL}{end}".encode())
    (folder / "another").write_text("of somebody else")

    settings = Settings()
    assert settings.database_url == URL
    assert settings.model_fields_set >= {"database_url"}
    assert unknown_settings() == []
    assert "hunter2" not in repr(settings)
    assert run("config", "database_url").stdout.splitlines()[1].split()[1:] == [
        "postgresql://me:********@host/db",
        str(folder / name),
    ]


def test_a_name_in_the_folder_that_is_none_gets_a_warning(folder: Path) -> None:
    (folder / "STEMSVC_DATABSE_URL").write_text(URL)
    assert unknown_settings() == [(str(folder / "STEMSVC_DATABSE_URL"), "STEMSVC_DATABASE_URL")]


def test_who_wins(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (folder / "client_key").write_text("of the folder")
    (tmp_path / "own").write_text("of its own file")
    assert Settings().client_key.get_secret_value() == "of the folder"

    monkeypatch.setenv("STEMSVC_CLIENT_KEY", "")  # as compose sets what nobody gave
    assert Settings().client_key.get_secret_value() == "of the folder"
    monkeypatch.setenv("STEMSVC_CLIENT_KEY_FILE", str(tmp_path / "own"))
    assert Settings().client_key.get_secret_value() == "of its own file"
    monkeypatch.delenv("STEMSVC_CLIENT_KEY_FILE")
    monkeypatch.setenv("STEMSVC_CLIENT_KEY", "of the environment")
    assert Settings().client_key.get_secret_value() == "of the environment"
    assert Settings(database_url="sqlite:///x").database_url == "sqlite:///x"


def test_the_environment_s_file_wins_over_the_secret_of_an_env_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    (tmp_path / ".env").write_text("STEMSVC_CLIENT_KEY=of the env file\n")
    (tmp_path / "own").write_text("of its own file")
    os.environ["STEMSVC_CLIENT_KEY_FILE"] = str(tmp_path / "own")
    read_env_file(tmp_path / ".env")

    assert Settings().client_key.get_secret_value() == "of its own file"


def broken(kind: str, path: Path) -> None:
    """Make a file that can't be one of a secret."""
    match kind:
        case "missing":
            return
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case _:
            path.write_bytes(
                {
                    "empty": b"",
                    "only a newline": b"\n",
                    "blank": b"  \n",
                    "large": b"hunter2" * MOST_BYTES,
                    "binary": b"hunter2\xff\xfe",
                    "two lines": b"hunter2\nhunter3\n",
                    "a null": b"hunter2\0",
                }[kind]
            )


@pytest.mark.parametrize(
    "kind",
    ["missing", "pipe", "folder", "loop", "empty", "only a newline", "blank", "large", "binary", "two lines", "a null"],
)
def test_a_file_that_can_be_no_secret_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    path = folder.parent / "secret"
    broken(kind, path)
    monkeypatch.setenv("STEMSVC_SECRET_KEY_FILE", str(path))
    done = run("config", "api_port")

    (line,) = done.stderr.splitlines()
    assert line.startswith(f"stemsvc: bad_setting: STEMSVC_SECRET_KEY_FILE: {path} ")
    assert (done.exit_code, "hunter" in done.output) == (2, False)


def test_a_file_that_may_not_be_read_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "secret_key").write_text("x")
    (folder / "secret_key").chmod(0)
    if os.access(folder / "secret_key", os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(BadSetting, match="Permission denied"):
        Settings()


@pytest.mark.parametrize("name", ["DATABASE_URL", "BROKER_URL", "SECRET_KEY", "BOOTSTRAP_KEY"])
def test_a_secret_given_twice_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"STEMSVC_{name}", "hunter2")
    monkeypatch.setenv(f"STEMSVC_{name}_FILE", str(folder / "x"))
    said = run("config", "api_port").stderr.splitlines()
    assert said == [f"stemsvc: bad_setting: STEMSVC_{name} and STEMSVC_{name}_FILE are both set: unset one of them"]


def test_other_mistakes_are_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "database-url").write_text(URL)
    (folder / "DATABASE_URL").write_text(URL)
    with pytest.raises(BadSetting, match="same setting"):
        Settings()
    (folder / "DATABASE_URL").unlink()
    (folder / "database-url").write_text("mysql://me:hunter2@host")
    with pytest.raises(BadSetting, match=r"STEMSVC_DATABASE_URL: .*\(in .*/database-url\)$") as caught:
        Settings()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    monkeypatch.setenv("STEMSVC_SECRETS_DIR", str(folder / "nowhere"))
    with pytest.raises(BadSetting, match=r"STEMSVC_SECRETS_DIR: .*nowhere can't be read"):
        Settings()


def test_another_process_gets_the_file_and_not_the_secret(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mount(folder, "1", database_url=URL, client_key="hunter2")
    environment = Settings().model_copy(update={"api_port": 1}).environment()
    assert (environment["STEMSVC_API_PORT"], "hunter2" in str(environment)) == ("1", False)

    given = Settings(database_url="sqlite:///x").environment()  # as an option of a command gives it
    assert given["STEMSVC_DATABASE_URL"] == "sqlite:///x"
    monkeypatch.setenv("STEMSVC_DATABASE_URL_FILE", str(folder / "database_url"))
    given = Settings(database_url="sqlite:///x").environment()
    assert ("STEMSVC_DATABASE_URL_FILE" in given, given["STEMSVC_DATABASE_URL"]) == (False, "sqlite:///x")


def test_a_folder_that_is_replaced_is_taken_up_whole(folder: Path) -> None:
    mount(folder, "1", s3_access_key_id="a", s3_secret_access_key="1")
    settings = Settings(api_port=1)
    assert settings.fresh() is settings

    mount(folder, "2", s3_access_key_id="b", s3_secret_access_key="2", client_key="new")
    fresh = settings.fresh()
    assert (fresh.s3_access_key_id, fresh.client_key.get_secret_value(), fresh.api_port) == ("b", "new", 1)
    assert fresh.s3_secret_access_key
    assert fresh.s3_secret_access_key.get_secret_value() == "2"
    assert settings.fresh() is fresh.fresh() is fresh
    assert settings.s3_access_key_id == "a"
    assert "new" not in str(fresh.environment())
    copy = settings.model_copy(update={"api_port": 2})
    assert (copy.fresh().api_port, copy.fresh().s3_access_key_id, settings.fresh().api_port) == (2, "b", 1)


def test_the_last_good_secret_counts_while_its_file_is_bad(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder.parent / "own"
    path.write_text("sqlite:///1")
    monkeypatch.setenv("STEMSVC_DATABASE_URL_FILE", str(path))
    (folder / "client-key").write_text("first")
    settings = Settings()
    with capture_logs() as said:
        path.unlink()
        assert [settings.fresh().database_url for _ in range(3)] == ["sqlite:///1"] * 3
        path.write_text("mysql://me:hunter2@host")
        assert [settings.fresh().database_url for _ in range(3)] == ["sqlite:///1"] * 3
        path.write_text("sqlite:///2")
        assert settings.fresh().database_url == "sqlite:///2"
        (folder / "client-key").write_text("second")
        assert settings.fresh().client_key.get_secret_value() == "second"
        (folder / "client-key").unlink()
        assert settings.fresh().client_key.get_secret_value() == "second"
        path.write_text("sqlite:///3")
        assert (settings.fresh().database_url, settings.fresh().client_key.get_secret_value()) == (
            "sqlite:///3",
            "second",
        )
    assert len(said) in (3, 4)  # away, bad, gone, and perhaps gone at the next change
    assert "hunter2" not in str(said)
