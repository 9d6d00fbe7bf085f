"""Secrets in the job store: a copy of the database gives none away, and every way to them stays open to us."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from pydantic import SecretStr

from stemsvc.accounts.cipher import Cipher, is_encrypted, new_key, open_cipher
from stemsvc.cli.main import main
from stemsvc.errors import BadSetting, SecretUnreadable
from stemsvc.host import secret_files
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import connect
from stemsvc.jobstore.tables import webhook_secrets
from stemsvc.settings import Settings
from tests.schema import fresh_schema

OLD, NEW = new_key(), new_key()


def cipher(*keys: str) -> Cipher:
    return Cipher(lambda: keys)


def stored(url: str) -> list[str]:
    engine = connect(url)
    with engine.connect() as connection:
        found = connection.execute(sa.select(webhook_secrets.c.secret).order_by(webhook_secrets.c.id)).scalars().all()
    engine.dispose()
    return list(found)


def test_openssl_makes_a_key_too() -> None:
    made = subprocess.run("openssl rand -base64 32 | tr +/ -_", shell=True, capture_output=True, text=True, check=True)
    key = made.stdout.strip()

    assert cipher(key).decrypt(cipher(key).encrypt("whsec_abc")) == "whsec_abc"


def test_a_secret_comes_back_and_is_not_to_be_seen() -> None:
    first, second = cipher(OLD).encrypt("whsec_abc"), cipher(OLD).encrypt("whsec_abc")

    assert "abc" not in first
    assert first != second
    assert is_encrypted(first)
    assert cipher(OLD).decrypt(first) == cipher(NEW, OLD).decrypt(second) == "whsec_abc"
    assert cipher().encrypt("whsec_abc") == cipher(OLD).decrypt("whsec_abc") == "whsec_abc"
    for wrong in (cipher(NEW), cipher()):
        with pytest.raises(SecretUnreadable):
            wrong.decrypt(first)


@pytest.mark.parametrize("key", ["short", "x" * 44, pytest.param(f"{NEW},nothing", id="a good one and another")])
def test_a_text_that_is_no_key_is_said_so(settings: Settings, key: str) -> None:
    with pytest.raises(BadSetting):
        open_cipher(settings.model_copy(update={"secret_key": SecretStr(key)}))


def test_a_store_in_the_data_folder_has_a_key_of_its_own(settings: Settings) -> None:
    secret = open_cipher(settings).encrypt("whsec_abc")
    file = settings.data_dir / "secret.key"
    assert is_encrypted(secret)
    assert file.stat().st_mode & 0o777 == 0o600

    # when a key is set later, it encrypts, and what the file's key encrypted stays readable
    later = open_cipher(settings.model_copy(update={"secret_key": SecretStr(f" {NEW} , {OLD}")}))
    assert later.decrypt(secret) == "whsec_abc"
    assert cipher(NEW).decrypt(later.encrypt("whsec_abc")) == "whsec_abc"


def test_a_store_elsewhere_has_none_that_is_not_set(settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"database_url": "postgresql://somewhere/stemsvc"})

    assert not open_cipher(elsewhere).has_key
    assert not settings.data_dir.exists()
    assert open_cipher(elsewhere.model_copy(update={"secret_key": SecretStr(NEW)})).has_key


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    fresh_schema(url)
    return url


def test_webhook_secrets_are_stored_encrypted_and_rotated_with_their_key(url: str) -> None:
    # given a secret that an earlier release wrote in clear
    before, store = JobStore(url), JobStore(url, cipher=cipher(OLD))
    (clear,) = before.webhooks.secrets("alice")
    assert stored(url) == [clear]

    # then it is read, and what is written from now on is encrypted, the earlier one with it
    assert store.webhooks.secrets("alice") == [clear]
    new = store.webhooks.rotate("alice", 3600)
    assert store.webhooks.secrets("alice") == [new, clear]
    assert all(map(is_encrypted, stored(url)))
    with pytest.raises(SecretUnreadable):
        before.webhooks.secrets("alice")

    # and the next key takes over from the last
    both, last = JobStore(url, cipher=cipher(NEW, OLD)), JobStore(url, cipher=cipher(NEW))
    with pytest.raises(SecretUnreadable):
        last.webhooks.rewrite_secrets()
    assert both.webhooks.rewrite_secrets() == 2
    assert last.webhooks.secrets("alice") == [new, clear]
    assert last.webhooks.count_secrets() == (2, 0)

    # and a rollback finds what it knows
    assert last.webhooks.rewrite_secrets(clear=True) == 2
    assert before.webhooks.secrets("alice") == [new, clear]
    for each in (before, store, both, last):
        each.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_no_file_but_the_keys_gives_a_secret_away(folder: Path) -> None:
    secret = run("webhooks", "secret").stdout.strip()
    assert secret.startswith("whsec_")
    files = [path for path in folder.rglob("*") if path.is_file()]

    assert files
    assert not any(secret.removeprefix("whsec_").encode() in path.read_bytes() for path in files)


def test_an_operator_changes_the_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATABASE_URL", f"sqlite:///{folder}.sqlite")
    secret = run("webhooks", "secret").stdout.strip()
    refused = run("secrets", "encrypt")
    assert (refused.exit_code, "bad_setting" in refused.stderr) == (2, True)

    key = run("secrets", "new-key").stdout.strip()
    monkeypatch.setenv("STEMSVC_SECRET_KEY", key)
    assert "1 secrets encrypted" in run("secrets", "encrypt").stdout
    assert run("webhooks", "secret").stdout.strip() == secret

    monkeypatch.setenv("STEMSVC_SECRET_KEY", NEW)
    lost = run("webhooks", "secret")
    assert (lost.exit_code, "secret_unreadable" in lost.stderr) == (1, True)

    monkeypatch.setenv("STEMSVC_SECRET_KEY", f"{NEW},{key}")
    assert run("secrets", "encrypt").exit_code == 0
    monkeypatch.setenv("STEMSVC_SECRET_KEY", NEW)
    assert run("webhooks", "secret").stdout.strip() == secret
    assert "1 secrets are in clear" in run("secrets", "decrypt").stdout
    monkeypatch.delenv("STEMSVC_SECRET_KEY")
    assert run("webhooks", "secret").stdout.strip() == secret


def test_a_changed_file_of_keys_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_files, "LOOK_SECONDS", 0.0)
    monkeypatch.setenv("STEMSVC_SECRET_KEY_FILE", str(tmp_path / "key"))
    (tmp_path / "key").write_text(OLD)
    running = open_cipher(Settings(database_url="sqlite://"))
    stored = running.encrypt("whsec_abc")
    (tmp_path / "key").write_text(f"{NEW},{OLD}\n")

    assert running.decrypt(stored) == "whsec_abc"
    assert cipher(NEW).decrypt(running.encrypt("whsec_def")) == "whsec_def"
    (tmp_path / "key").write_text("no key")
    assert cipher(NEW).decrypt(running.encrypt("whsec_ghi")) == "whsec_ghi"
