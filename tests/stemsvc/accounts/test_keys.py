"""`stemsvc keys`, and that no secret is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stemsvc.accounts.keys import parse_token
from stemsvc.cli.main import main
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")


def keys(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments])


def test_a_key_is_made_listed_and_revoked(tmp_path: Path) -> None:
    assert "no keys" in keys("list").stdout
    made = keys("create", "the band", "--scope", "read", "--scope", "admin")
    assert made.exit_code == 0, made.output
    parts = parse_token(made.stdout.strip())
    assert parts is not None
    key_id, secret = parts

    listed = keys("list").stdout
    assert key_id in listed
    assert "admin read" in " ".join(listed.split())
    assert secret not in listed
    assert not any(secret.encode() in path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())

    assert keys("revoke", key_id).exit_code == 0
    again = keys("revoke", key_id)
    assert (again.exit_code, "key_not_found" in again.stderr) == (1, True)


def test_a_key_has_a_highest_priority_which_can_be_changed() -> None:
    made = keys("create", "the band", "--max-priority", "high")
    parts = parse_token(made.stdout.strip())
    assert parts is not None
    assert keys("create", "others").exit_code == 0
    assert keys("create", "boss", "--scope", "admin").exit_code == 0
    rows = {line.split("│")[2].strip(): line for line in keys("list").stdout.splitlines() if "│" in line}
    assert [rows[name].split("│")[5].strip() for name in ("the band", "others", "boss")] == ["high", "normal", "high"]

    assert keys("change", parts[0], "--max-priority", "low").exit_code == 0
    (line,) = (line for line in keys("list").stdout.splitlines() if parts[0] in line)
    assert line.split("│")[5].strip() == "low"
    unknown = keys("change", "nobody", "--max-priority", "low")
    assert (unknown.exit_code, "key_not_found" in unknown.stderr) == (1, True)


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\nb", "\x00"])
def test_a_name_that_can_not_be_shown_is_refused(name: str) -> None:
    made = keys("create", name)

    assert (made.exit_code, "bad_name" in made.stderr) == (1, True)


def test_a_key_has_limits_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    made = keys("create", "small", "--max-waiting", "3", "--minutes-per-day", "60", "--max-stored-bytes", "50000000000")
    parts = parse_token(made.stdout.strip())
    assert parts is not None
    settings = Settings()
    store = JobStore(settings.resolved_database_url)
    key = store.keys.find(parts[0])
    store.close()

    assert key is not None
    assert (key.max_waiting, key.minutes_per_day, key.max_stored_bytes) == (3, 60.0, 50_000_000_000)
    listed = keys("list").stdout
    assert all(limit in listed for limit in ("3 waiting", "60 min/day", "50000000000 bytes"))
    assert keys("create", "small", "--max-stored-bytes", "-1").exit_code == 2
