"""`stemsvc keys`, and that no secret is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from api.app import create_app
from api.edge import auth
from stemsvc.accounts.keys import Key, parse_token
from stemsvc.cli.main import main
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")


def keys(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments])


def rows() -> dict[str, dict[str, Any]]:
    """The keys that are listed, by their names."""
    return {each["name"]: each for each in json.loads(keys("list", "--json").stdout)}


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
    assert [rows()[name]["max_priority"] for name in ("the band", "others", "boss")] == ["high", "normal", "high"]

    assert keys("change", parts[0], "--max-priority", "low").exit_code == 0
    assert rows()["the band"]["max_priority"] == "low"
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


# --- keys in time, and without keys


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """The api over the same job store, which looks for keys at each request."""
    monkeypatch.setattr(auth, "KEEP_SECONDS", 0.0)
    keys("list")  # makes the tables
    app = create_app(Settings())
    with app.test_client() as client:
        yield client
    app.extensions["stemsvc"].close()


def answers(api: FlaskClient, token: str | None = None) -> int:
    return api.get("/v1/jobs", headers={"Authorization": f"Bearer {token}"} if token else {}).status_code


def test_the_first_key_is_announced_and_there_is_a_way_back(api: FlaskClient) -> None:
    assert answers(api) == 200
    made = keys("create", "first")
    token = made.stdout.strip()
    assert "every request needs a key" in made.stderr
    assert "keys disable-auth" in made.stderr
    assert "every request" not in keys("create", "second").stderr
    assert (answers(api), answers(api, token)) == (401, 200)
    keys("revoke", token.split("_")[1])
    assert answers(api) == 401  # a revoked key opens nothing

    second = rows()["second"]["id"]
    assert keys("disable-auth").exit_code == 0
    assert answers(api) == 200
    assert answers(api, token) == 401  # it stays revoked
    assert "no key is needed" in keys("list").stdout
    renewed = keys("rotate", second).stdout.strip()
    assert (answers(api), answers(api, renewed)) == (200, 200)  # keys work on

    assert "every request needs a key" in keys("create", "third").stderr
    assert answers(api) == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "stems.example.org"])
def test_beyond_the_loopback_keys_stay(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    keys("create", "first")
    monkeypatch.setenv("STEMSVC_API_HOST", host)
    refused = keys("disable-auth")

    assert (refused.exit_code, "not_loopback" in refused.stderr, len(refused.stderr.splitlines())) == (1, True, 1)


def test_a_key_expires(api: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    token = keys("create", "guest", "--expires", "30d").stdout.strip()
    assert answers(api, token) == 200
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 30 * 86400 + 1)
    assert answers(api, token) == 401


@pytest.mark.parametrize(
    ("when", "seconds"), [("90m", 5400), ("12h", 43200), ("30d", 2592000), ("2w", 1209600), ("1.5h", 5400)]
)
def test_a_time_from_now_is_understood(when: str, seconds: float) -> None:
    keys("create", "guest", "--expires", when, "--yes")
    key = key_of("guest")
    assert key.expires_at is not None
    assert abs(key.expires_at - time.time() - seconds) < 30


@pytest.mark.parametrize("when", ["2999-01-31", "2999-01-31T12:00:00Z", "2999-01-31T12:00:00+05:00"])
def test_a_day_is_understood(when: str) -> None:
    assert keys("create", "guest", "--expires", when).exit_code == 0
    assert rows()["guest"]["expires_at"].startswith("2999-01-31")


@pytest.mark.parametrize("when", ["", "soon", "0d", "-1d", "2001-01-01", "30", "d", "1e9d", "99999999999w", "30 d"])
def test_what_is_no_time_to_come_is_refused(when: str) -> None:
    refused = keys("create", "guest", "--expires", when)
    assert (refused.exit_code, "Traceback" in refused.stderr) == (2, False)
    assert json.loads(keys("list", "--json").stdout) == []


def test_an_expiry_can_be_changed_and_taken_back() -> None:
    keys("create", "guest", "--expires", "1h")
    key = rows()["guest"]["id"]
    assert keys("change", key, "--expires", "2999-01-31").exit_code == 0
    assert rows()["guest"]["expires_at"] == "2999-01-31T00:00:00Z"
    assert keys("change", key, "--expires", "never").exit_code == 0
    assert rows()["guest"]["expires_at"] is None
    assert keys("change", key).exit_code == 2


def test_a_rotated_key_has_two_secrets_for_a_while(api: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first = keys("create", "band").stdout.strip()
    second = keys("rotate", rows()["band"]["id"][:4], "--keep-hours", "2").stdout.strip()
    assert first.split("_")[1] == second.split("_")[1]
    assert (answers(api, first), answers(api, second)) == (200, 200)

    now = time.time()
    with monkeypatch.context() as later:
        later.setattr(time, "time", lambda: now + 2 * 3600 + 1)
        assert (answers(api, first), answers(api, second)) == (401, 200)
    third = keys("rotate", rows()["band"]["id"], "--keep-hours", "0").stdout.strip()
    assert [answers(api, each) for each in (first, second, third)] == [401, 401, 200]


def test_a_key_is_renamed() -> None:
    keys("create", "band")
    key = rows()["band"]["id"]
    assert keys("rename", key, "the [red]band").exit_code == 0
    assert "the [red]band" in keys("list").stdout
    assert keys("rename", key, "").exit_code == 1


def test_the_beginning_of_an_id_is_enough_where_it_is_one() -> None:
    for number in range(40):  # 33 letters can begin an id: two begin alike
        keys("create", f"key {number}")
    begins = [each["id"][0] for each in rows().values()]
    twice = next(letter for letter in begins if begins.count(letter) > 1)
    refused = keys("revoke", twice)
    assert (refused.exit_code, "ambiguous_id" in refused.stderr) == (1, True)
    whole = rows()["key 7"]["id"]
    assert whole in keys("revoke", whole[:9]).stdout
    assert rows()["key 7"]["revoked_at"] is not None


def key_of(name: str) -> Key:
    store = JobStore(Settings().resolved_database_url)
    (found,) = (key for key in store.keys.all() if key.name == name)
    store.close()
    return found
