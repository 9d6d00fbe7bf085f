"""What operators do by hand: drain pools, read the audit log, say how long files are kept, compare processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stemsvc.accounts.keys import parse_token
from stemsvc.cli.main import main
from stemsvc.control.facts import Facts, Report
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate, newest_revision
from stemsvc.settings import Settings

POOL = "separate.demo.cpu"


@pytest.fixture(autouse=True)
def _here(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STEMSVC_DATABASE_URL", url)
    monkeypatch.setenv("STEMSVC_POOLS", "demo:cpu")
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "data").mkdir()
    migrate(url)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_pool_is_drained_and_resumed_and_the_log_says_who_did_it() -> None:
    assert "takes no new work" in run("pools", "drain", POOL, "--why", "a new card").stdout
    assert "drained already" in run("pools", "drain", POOL).stdout
    (pool,) = [each for each in json.loads(run("pools", "--json").stdout)["pools"] if each["name"] == POOL]
    assert (pool["drained_why"], bool(pool["drained_at"])) == ("a new card", True)
    assert "a new card" in run("pools").stdout
    assert "takes work again" in run("pools", "resume", POOL).stdout
    assert "was not drained" in run("pools", "resume", POOL).stdout
    unknown = run("pools", "drain", "no.such")
    assert (unknown.exit_code, "pool_not_found" in unknown.stderr) == (1, True)

    entries = json.loads(run("audit", "--json").stdout)
    assert [each["act"] for each in entries] == ["pool.resume", "pool.drain"]
    assert (entries[1]["via"], entries[1]["detail"], "@" in entries[1]["actor"]) == (
        "command",
        {"why": "a new card"},
        True,
    )
    assert run("audit", "--act", "pool.drain", "--target", POOL).stdout.count(POOL) == 1
    assert "no entries" in run("audit", "--actor", "nobody").stdout


def test_what_is_done_to_keys_is_in_the_log_without_their_secrets() -> None:
    made = run("keys", "create", "band", "--retention-days", "2.5")
    parts = parse_token(made.stdout.strip())
    assert parts is not None
    key_id, secret = parts
    (key,) = json.loads(run("keys", "list", "--json").stdout)
    assert key["retention_days"] == 2.5
    assert "2.5 days kept" in run("keys", "list").stdout

    assert "1 days" in run("keys", "change", key_id, "--retention-days", "1").stdout
    assert "STEMSVC_STEMS_TTL_SECONDS" in run("keys", "change", key_id, "--retention-days", "default").stdout
    assert run("keys", "change", key_id, "--retention-days", "0").exit_code == 2
    rotated = run("keys", "rotate", key_id)
    run("keys", "rename", key_id, "choir")
    run("keys", "revoke", key_id)
    run("keys", "disable-auth")

    log = run("audit", "--json").stdout
    acts = [each["act"] for each in json.loads(log)][::-1]
    assert acts == [
        "key.create",
        *["key.change"] * 2,
        "key.rotate",
        "key.rename",
        "key.revoke",
        "keys.disable_auth",
    ]
    new_secret = parse_token(rotated.stdout.strip())
    assert new_secret is not None
    assert secret not in log
    assert new_secret[1] not in log


def test_processes_that_agree_and_one_that_differs(url: str) -> None:
    store = JobStore(url)
    same = Settings(max_attempts=3, bootstrap_key="4c1f9c2b77d84f5b9f7f2f2f5a0b9e1d")
    assert "no process is alive" in run("check", "parity").stdout
    Report(store, "a:1", "api", same).tell()
    Report(store, "b:1", "worker", same.model_copy(update={"concurrency": 9})).tell()
    agree = run("check", "parity")
    assert (agree.exit_code, "all 2 processes agree" in agree.stdout) == (0, True), agree.stdout

    odd = Settings(max_attempts=5, bootstrap_key="9d1f9c2b77d84f5b9f7f2f2f5a0b9e1d", pools="demo:cpu:900M")
    Report(store, "c:1", "dispatcher", odd).tell()
    facts = {**Facts(same).now(), "version": "0.1.0", "revision": "0001"}
    store.processes.report("d:1", "worker", facts, 60)

    told = run("check", "parity", "--json")
    assert told.exit_code == 1
    found = {each["what"]: each["others"] for each in json.loads(told.stdout)["differences"]}
    assert found["version"] == {"0.1.0": ["d:1"]}
    assert found["newest migration"] == {"0001": ["d:1"]}
    assert found["setting max_attempts"] == {"5": ["c:1"]}
    assert list(found[f"pool {POOL}"].values()) == [["c:1"]]
    assert list(found["setting bootstrap_key"].values()) == [["c:1"]]
    assert "9d1f9c2b" not in told.stdout
    assert "setting concurrency" not in found
    assert "d:1: 0001" in run("check", "parity").stdout
    assert newest_revision() in run("check", "parity").stdout
    store.close()


def test_a_process_with_other_weights_is_named(url: str) -> None:
    store = JobStore(url)
    same = Settings(bootstrap_key="4c1f9c2b77d84f5b9f7f2f2f5a0b9e1d")
    for name in ("a:1", "b:1"):
        Report(store, name, "worker", same).tell()
    facts = Facts(same).now()
    weights = {**facts["weights"], "demo": ["0" * 64]}
    store.processes.report("c:1", "worker", {**facts, "weights": weights}, 60)

    told = run("check", "parity", "--json")
    assert told.exit_code == 1
    (found,) = json.loads(told.stdout)["differences"]
    assert found["what"] == "weights of demo"
    assert json.loads(found["most"]) == facts["weights"]["demo"]
    assert found["others"] == {json.dumps(["0" * 64]): ["c:1"]}
    store.close()


def test_a_process_that_is_silent_is_not_compared(url: str) -> None:
    store = JobStore(url)
    store.processes.report("old:1", "worker", {"version": "0.1.0"}, -1.0)
    Report(store, "a:1", "api", Settings()).tell()
    assert [each.id for each in store.processes.living()] == ["a:1"]
    Report(store, "a:1", "api", Settings()).leave()
    assert store.processes.living() == []
    store.close()
