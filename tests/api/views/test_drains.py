"""`POST /v1/pools/{name}:drain` and `:resume`, and `GET /v1/audit`: an admin's acts, and the log of them."""

from __future__ import annotations

from typing import Any

import pytest

from api.edge import auth
from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from tests.api.views.test_keys import code, make, submit

POOL = "separate.demo.cpu"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KEEP_SECONDS", -1.0)


def test_an_admin_drains_and_resumes_a_pool(client: Any, parts: Services) -> None:
    admin = make(parts, Scope.ADMIN)
    submit(client, admin, model="demo")
    pool = client.get(f"/v1/pools/{POOL}", headers=admin).json
    assert (pool["drained_at"], pool["jobs"]) == (None, 1)

    drained = client.post(f"/v1/pools/{POOL}:drain", json={"why": "a new card"}, headers=admin)
    assert drained.status_code == 200
    assert (drained.json["drained_why"], drained.json["queued"], drained.json["jobs"]) == ("a new card", 1, 0)
    assert client.post(f"/v1/pools/{POOL}:drain", headers=admin).json["drained_why"] == "a new card"
    job = submit(client, admin, model="demo").json
    assert client.get(f"/v1/jobs/{job['id']}", headers=admin).json["progress"]["stage"] == "waiting_for_pool"

    resumed = client.post(f"/v1/pools/{POOL}:resume", headers=admin).json
    assert (resumed["drained_at"], resumed["jobs"]) == (None, 2)


@pytest.mark.parametrize("act", ["drain", "resume"])
def test_nobody_else_does_and_no_pool_that_is_none(client: Any, parts: Services, act: str) -> None:
    key, admin = make(parts, Scope.SUBMIT, Scope.READ), make(parts, Scope.ADMIN)
    assert code(client.post(f"/v1/pools/{POOL}:{act}", headers=key)) == (403, "forbidden")
    assert code(client.post(f"/v1/pools/no/such:{act}", headers=admin)) == (404, "pool_not_found")
    assert code(client.post(f"/v1/pools/{POOL}:drain", json={"why": "x" * 201}, headers=admin))[0] == 422


def test_what_admins_do_is_in_the_log_and_what_clients_do_is_not(client: Any, parts: Services) -> None:
    admin, key = make(parts, Scope.ADMIN), make(parts, Scope.SUBMIT, Scope.READ)
    others, own = submit(client, key).json["id"], submit(client, key).json["id"]

    client.delete(f"/v1/jobs/{own}", headers=key)
    client.delete(f"/v1/jobs/{others}", headers={**admin, "X-Request-Id": "req-1"})
    made = client.post("/v1/keys", json={"name": "band", "retention_days": 2}, headers=admin).json
    client.delete(f"/v1/keys/{made['id']}", headers=admin)

    page = client.get("/v1/audit?limit=2", headers=admin).json
    assert [each["act"] for each in page["entries"]] == ["key.revoke", "key.create"]
    assert made["key"].split("_", 2)[2] not in str(page)
    assert made["retention_days"] == 2
    rest = client.get(f"/v1/audit?before={page['next_before']}", headers=admin).json
    (deleted,) = rest["entries"]
    assert (deleted["act"], deleted["target"], deleted["request_id"], deleted["via"]) == (
        "job.delete",
        others,
        "req-1",
        "api",
    )
    assert deleted["actor"] == parts.store.keys.all()[0].id
    assert rest["next_before"] is None
    assert client.get("/v1/audit?act=key.create", headers=admin).json["entries"][0]["target"] == made["id"]
    assert code(client.get("/v1/audit", headers=key)) == (403, "forbidden")
    assert client.get("/v1/audit?act=nonsense", headers=admin).status_code == 422


def test_a_job_says_when_its_files_go_by_its_keys_own_retention(client: Any, parts: Services) -> None:
    admin = make(parts, Scope.ADMIN)
    made = client.post("/v1/keys", json={"name": "band", "retention_days": 1}, headers=admin).json
    key = {"Authorization": f"Bearer {made['key']}"}
    job_id = submit(client, key, model="demo").json["id"]
    taken = parts.store.leases.take(job_id, "worker", 60)
    assert taken is not None
    parts.store.leases.succeed(taken[1], {}, {})

    (job,) = client.get("/v1/jobs", headers=admin).json["jobs"]
    assert job["stems_expire_at"][:10] > job["finished_at"][:10]
    assert client.get("/v1/limits", headers=key).json["files_seconds"] == 86400
    assert client.get("/v1/limits", headers=admin).json["files_seconds"] == 604800
