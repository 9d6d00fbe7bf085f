"""What operators look at: failures by code, use over time, and what each worker does."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from stemsvc.jobstore.tables import usage
from stemsvc.jobstore.workers import Worker
from tests.api.views.test_events import run
from tests.api.views.test_keys import code, make, submit


def fail(client: Any, parts: Services, error: str, headers: dict[str, str] | None = None, detail: str = "no") -> str:
    job_id = str(submit(client, headers or {}).json["id"])
    parts.store.leases.fail(run(parts, job_id), error, detail)
    return job_id


def test_failures_are_counted_by_code_the_most_frequent_first(client: Any, parts: Services) -> None:
    fail(client, parts, "not_audio", detail="first")
    fail(client, parts, "time_limit")
    last = fail(client, parts, "not_audio", detail="last")
    submit(client, {})

    told = client.get("/v1/failures").json
    assert [(each["code"], each["kind"], each["count"]) for each in told["failures"]] == [
        ("not_audio", "separate", 2),
        ("time_limit", "separate", 1),
    ]
    assert (told["failures"][0]["last_job"], told["failures"][0]["detail"]) == (last, "last")
    day = datetime.fromisoformat(told["until"]) - datetime.fromisoformat(told["since"])
    assert day.total_seconds() == pytest.approx(86400)
    assert client.get("/v1/failures?since=2999-01-01").json["failures"] == []
    assert client.get("/v1/failures?until=2001-01-01").json["failures"] == []
    assert code(client.get("/v1/failures?since=yesterday")) == (422, "invalid_fields")


def test_each_key_sees_its_own_failures_and_an_admin_everyones(client: Any, parts: Services) -> None:
    mine, theirs, admin = make(parts), make(parts), make(parts, Scope.ADMIN)
    fail(client, parts, "not_audio", mine)
    fail(client, parts, "time_limit", theirs)

    def seen(key: dict[str, str]) -> list[str]:
        return sorted(each["code"] for each in client.get("/v1/failures", headers=key).json["failures"])

    assert (seen(mine), seen(theirs), seen(admin)) == (["not_audio"], ["time_limit"], ["not_audio", "time_limit"])


def use(parts: Services, *moments: float) -> None:
    """Have a job of one minute succeed at each moment; each used a device for 36 s."""
    engine = sa.create_engine(parts.settings.resolved_database_url)
    with engine.begin() as connection:
        for number, at in enumerate(moments):
            row = {"job_id": f"{number:032x}", "owner": "", "model": "demo", "accepted_at": at, "state": "succeeded"}
            more = {"cached": False, "track_seconds": 60.0, "device_seconds": 36.0}
            connection.execute(usage.insert().values(**row, **more))
    engine.dispose()


def test_use_over_time_has_every_period(app_with: Any) -> None:
    client = app_with(price_per_device_hour=2.0)
    midnight = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    use(client.application.extensions["stemsvc"], midnight - 0.001, midnight, midnight + 86399.9, midnight + 2 * 86400)

    query = {"since": "2026-02-28T00:00:00Z", "until": "2026-03-04T00:00:00Z"}
    told = client.get("/v1/usage/series", query_string=query).json
    assert (told["step_seconds"], told["currency"]) == (86400, "EUR")
    assert [each["jobs"].get("succeeded", 0) for each in told["periods"]] == [1, 2, 0, 1]
    second = told["periods"][1]
    assert second["at"] == "2026-03-01T00:00:00+00:00"
    assert (second["audio_minutes"], second["device_seconds"], second["cost"]) == (2.0, 72.0, 0.04)
    hours = client.get("/v1/usage/series", query_string={**query, "step": "hour"}).json["periods"]
    assert (len(hours), sum(sum(each["jobs"].values()) for each in hours)) == (96, 4)


def test_use_over_time_is_one_s_own_and_has_an_end(client: Any, parts: Services) -> None:
    use(parts, time.time())
    assert len(client.get("/v1/usage/series").json["periods"]) in (30, 31)
    mine, admin = make(parts), make(parts, Scope.ADMIN)

    def jobs(key: dict[str, str]) -> int:
        periods = client.get("/v1/usage/series", headers=key).json["periods"]
        return sum(sum(each["jobs"].values()) for each in periods)

    assert (jobs(mine), jobs(admin)) == (0, 1)
    for query, expected in (
        ("since=1970-01-01", "bad_options"),
        ("step=hour&since=2020-01-01", "bad_options"),
        ("step=minute", "invalid_fields"),
    ):
        assert code(client.get(f"/v1/usage/series?{query}", headers=mine)) == (422, expected)
    assert client.get("/v1/usage/series?since=2026-02-02&until=2026-02-01", headers=mine).json["periods"] == []


def test_an_admin_sees_what_each_worker_does(client: Any, parts: Services) -> None:
    worker = Worker(
        "host.0123456789abcdef.7:1",
        ("separate.demo.cpu",),
        "cpu",
        "AMD EPYC",
        slots=2,
        job_ids=("0" * 32,),
        version="0.2.0",
        kinds=("separate",),
    )
    parts.store.workers.beat(worker, 60)
    pools = {each["name"]: each for each in client.get("/v1/pools").json["pools"]}
    (seen,) = pools["separate.demo.cpu"]["workers"]

    assert (seen["jobs"], seen["slots"], seen["version"], seen["kinds"]) == (["0" * 32], 2, "0.2.0", ["separate"])
    assert client.get("/v1/pools", headers=make(parts)).json["pools"][0]["workers"] == []
