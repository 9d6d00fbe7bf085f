"""The key of a setting: there from the start, once, in any number of processes, and taken for no other key."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from api.app import create_app
from api.edge import auth
from stemsvc.accounts.bootstrap import BOOTSTRAP, bootstrap_key, install
from stemsvc.accounts.keys import Installed, Key, Scope, fits, new_key, parse_token
from stemsvc.cli.main import main
from stemsvc.control.secret_changes import SecretChanges
from stemsvc.errors import BadSetting
from stemsvc.host import secret_files
from stemsvc.jobstore import JobStore
from stemsvc.settings import SCOPES, Settings

ONE, TWO, THREE = (secrets.token_hex(32) for _ in range(3))


def key_of(token: str, scopes: str = "read") -> Key:
    found = bootstrap_key(Settings(bootstrap_key=token, bootstrap_scopes=scopes))
    assert found
    return found


def test_the_settings_know_every_scope() -> None:
    assert {*SCOPES} == {*map(str, Scope)}
    assert Settings(bootstrap_scopes="read, admin,read").bootstrap_scopes == "read,admin"
    for scopes in ("", "all", "read,,submit"):
        with pytest.raises(BadSetting):
            Settings(bootstrap_scopes=scopes)


@pytest.mark.parametrize("token", ["hunter2", "0" * 64, new_key("x", frozenset())[1]], ids=["short", "same", "ours"])
def test_a_key_that_is_weak_or_looks_like_another_is_refused_on_one_line(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEMSVC_BOOTSTRAP_KEY", token)
    done = CliRunner().invoke(main, ["api"])

    (line,) = done.stderr.splitlines()
    assert line.startswith("stemsvc: bad_setting: STEMSVC_BOOTSTRAP_KEY: ")
    assert (done.exit_code, token in line) == (2, False)


def test_its_id_is_that_of_no_other_key() -> None:
    assert all(parse_token(f"stemsvc_{BOOTSTRAP}_{'x' * 43}") is None for _ in "1")
    assert not any(new_key("a", frozenset())[0].id == BOOTSTRAP for _ in range(10))


def test_processes_that_start_together_make_one_key(store: JobStore, url: str) -> None:
    stores = [JobStore(url) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        outcomes = [*threads.map(lambda each: each.keys.install(key_of(ONE), 600), stores)]
    for each in stores:
        each.close()

    assert sorted(outcomes) == sorted([Installed.MADE, *[Installed.KEPT] * 7])
    (key,) = store.keys.all()
    assert (key.id, key.name, key.scopes, fits(key, ONE)) == (BOOTSTRAP, BOOTSTRAP, frozenset({Scope.READ}), True)
    assert ONE not in key.hash


def test_a_new_key_takes_its_place_and_the_old_one_works_beside_it(store: JobStore) -> None:
    keys = store.keys
    assert [keys.install(key_of(each), 600) for each in (ONE, TWO)] == [Installed.MADE, Installed.RENEWED]
    (key,) = keys.all()
    assert (fits(key, TWO), fits(key, ONE), fits(key, ONE, key.old_until)) == (True, True, False)

    # a process whose file is still the old one does not take it back, until the old one is over
    assert keys.install(key_of(ONE), 600) is Installed.OLDER
    assert keys.install(key_of(THREE), -1) is Installed.RENEWED
    assert keys.install(key_of(TWO), 600) is Installed.RENEWED
    assert keys.install(key_of(TWO, "admin"), 600) is Installed.KEPT
    assert keys.all()[0].scopes == {Scope.ADMIN}


def test_a_revoked_key_stays_revoked_until_there_is_another(store: JobStore) -> None:
    keys = store.keys
    keys.install(key_of(ONE), 600)
    keys.revoke(BOOTSTRAP)
    assert keys.install(key_of(ONE), 600) is Installed.REVOKED
    assert keys.install(key_of(TWO), 600) is Installed.RENEWED
    assert keys.install(key_of(ONE), 600) is Installed.REVOKED  # of a process that has not seen the other one yet
    (key,) = keys.all()
    assert (fits(key, TWO), fits(key, ONE)) == (True, False)


def test_waived_keys_stay_waived_at_the_next_start(store: JobStore) -> None:
    store.keys.install(key_of(ONE), 600)
    assert store.keys.any()
    store.keys.waive()
    store.keys.install(key_of(ONE), 600)
    assert not store.keys.any()


# --- over HTTP, and for the operator


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(auth, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(secret_files, "LOOK_SECONDS", 0.0)
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STEMSVC_BOOTSTRAP_KEY_FILE", str(tmp_path / "key"))
    (tmp_path / "key").write_text(f"{ONE}\n")
    return tmp_path / "key"


def keys(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments])


@pytest.fixture
def api(file: Path) -> Iterator[FlaskClient]:
    keys("list")  # makes the tables
    app = create_app(Settings())
    install(Settings(), app.extensions["stemsvc"].store.keys.install)
    with app.test_client() as client:
        yield client
    app.extensions["stemsvc"].close()


def answers(api: FlaskClient, token: str | None, path: str = "/v1/jobs") -> int:
    return api.get(path, headers={"Authorization": f"Bearer {token}"} if token else {}).status_code


def test_the_key_opens_the_api_and_a_changed_file_changes_it(api: FlaskClient, file: Path) -> None:
    settings, store = Settings(), api.application.extensions["stemsvc"].store
    changes = SecretChanges(settings, lambda fresh: install(fresh, store.keys.install))
    changes.look()
    assert [answers(api, each) for each in (None, TWO, ONE)] == [401, 401, 200]
    assert [answers(api, each) for each in (BOOTSTRAP, f"stemsvc_{BOOTSTRAP}_{ONE}", ONE[:-1], "")] == [401] * 4
    assert answers(api, ONE, "/v1/pools") == 200  # as KEDA asks

    file.write_text(TWO)
    changes.look()
    assert [answers(api, each) for each in (None, TWO, ONE, THREE)] == [401, 200, 200, 401]


def test_another_key_opens_the_api_beside_it(api: FlaskClient) -> None:
    other = keys("create", "other").stdout.strip()
    assert [answers(api, each) for each in (other, ONE)] == [200, 200]
    assert keys("revoke", other.split("_")[1]).stderr == ""
    assert [answers(api, each) for each in (other, ONE)] == [401, 200]


def test_the_operator_sees_what_it_is(api: FlaskClient) -> None:
    (row,) = json.loads(keys("list", "--json").stdout)
    assert (row["id"], row["name"], row["scopes"]) == (BOOTSTRAP, BOOTSTRAP, ["read", "submit"])
    for refused in (keys("create", "Bootstrap"), keys("rename", BOOTSTRAP, "x"), keys("rotate", BOOTSTRAP)):
        assert (refused.exit_code, "STEMSVC_BOOTSTRAP_KEY" in refused.stderr) == (1, True)

    revoked = keys("revoke", BOOTSTRAP)
    assert (revoked.exit_code, "stays revoked while STEMSVC_BOOTSTRAP_KEY has it" in revoked.stderr) == (0, True)
    assert answers(api, ONE) == 401
