"""Who is there to do the work, as clients and operators see it."""

from __future__ import annotations

import io

from flask.testing import FlaskClient

from stemsvc.accounts.keys import Scope, new_key
from stemsvc.control.services import Services
from stemsvc.jobstore.workers import Worker

POOL = "separate.demo.cpu"


def live(parts: Services, name: str = "host:1") -> None:
    worker = Worker(name, (POOL,), "cpu", "a fast processor", 2, 4096, ("demo",), ("a-job",), "0.1.0")
    parts.store.workers.beat(worker, 60)
    parts.store.workers._known_until = 0.0


def test_a_pool_tells_of_its_line_and_of_who_lives(client: FlaskClient) -> None:
    parts: Services = client.application.extensions["stemsvc"]
    for priority in ("high", "low", "low"):
        data = {"file": (io.BytesIO(b"music"), "a.mp3"), "priority": priority, "model": "demo"}
        job = client.post("/v1/jobs", data=data).json
        assert job is not None
        assert job["priority"] == priority
    live(parts)

    pool = client.get(f"/v1/pools/{POOL}").json
    assert pool is not None
    assert (pool["queued"], pool["running"], pool["jobs"], pool["slots"]) == (3, 0, 3, 2)
    assert pool["waiting"] == {"high": 1, "normal": 0, "low": 2}
    (worker,) = pool["workers"]
    assert (worker["device_name"], worker["free_memory_mb"], worker["busy"]) == ("a fast processor", 4096, True)
    names = [each["name"] for each in (client.get("/v1/pools").json or {})["pools"]]
    assert names[0] == POOL
    assert "fetch" in names


def test_a_pool_that_is_none_is_not_found(client: FlaskClient) -> None:
    answer = client.get("/v1/pools/nothing/such")
    assert (answer.status_code, (answer.json or {})["code"]) == (404, "pool_not_found")


def test_a_priority_that_is_none_is_refused(client: FlaskClient) -> None:
    answer = client.post("/v1/jobs", data={"file": (io.BytesIO(b"music"), "a.mp3"), "priority": "urgent"})
    assert answer.status_code == 422


def test_hosts_are_for_operators_alone(client: FlaskClient) -> None:
    parts: Services = client.application.extensions["stemsvc"]
    live(parts)
    for scope, sees in ((Scope.READ, False), (Scope.ADMIN, True)):
        key, token = new_key("somebody", frozenset({scope}))
        parts.store.keys.add(key)
        pool = client.get(f"/v1/pools/{POOL}", headers={"Authorization": f"Bearer {token}"}).json
        assert pool is not None
        assert bool(pool["workers"]) == sees
        assert pool["slots"] == 2


def test_figures_are_shown_without_a_key_and_name_no_path(client: FlaskClient) -> None:
    client.get("/v1/jobs/0f8fad5bd9cb469fa16570867728950e")
    client.get("/v1/no-such/secret-of-a-client")
    text = client.get("/metrics").text
    assert 'route="/v1/jobs/<string:job_id>",status="404"' in text
    assert "secret-of-a-client" not in text
    assert "0f8fad5b" not in text
    assert 'demucs_live_slots{pool="separate.demo.cpu"} 0.0' in text
