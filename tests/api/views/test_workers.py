"""`/v1/workers`: who is alive, what each can do, what it does."""

from __future__ import annotations

import os
from typing import Any

from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from stemsvc.jobstore.workers import Worker
from tests.api.views.test_keys import code, make
from tests.api.views.test_workflows import jobs_of, made
from workers.host import capabilities


def beat(parts: Services, name: str, job_id: str = "", **facts: Any) -> None:
    pools, jobs = (parts.pools[0].name,), (job_id,) if job_id else ()
    kinds = ("separate", "analyze")
    parts.store.workers.beat(
        Worker(name, pools, "cpu", "a processor", 1, 900, ("demo",), jobs, "0.2.0", kinds, facts), 60
    )


def test_a_worker_says_what_it_can_do_and_what_it_does(client: Any, parts: Services) -> None:
    workflow = made(client)
    job_id = jobs_of(workflow)["split"]
    taken = parts.store.leases.take(job_id, "one", 60)
    assert taken is not None
    parts.store.leases.heartbeat(taken[1], 60, 0.25, "separating")
    beat(parts, "busy", job_id, **capabilities.lasting("cpu"), load=0.5)
    beat(parts, "old")  # of an earlier release

    busy, old = client.get("/v1/workers").json["workers"]

    assert (busy["id"], busy["kinds"], busy["models"], busy["device"]) == (
        "busy",
        ["separate", "analyze"],
        ["demo"],
        "cpu",
    )
    assert busy["serves"] == list(parts.pools[0].models)
    assert busy["steps"] == [
        {
            "job_id": job_id,
            "kind": "separate",
            "stage": "separating",
            "fraction": 0.25,
            "workflow_id": workflow["id"],
            "step": "split",
        }
    ]
    assert (busy["busy"], busy["slots"], busy["load"], busy["free_memory_mb"]) == (1, 1, 0.5, 900)
    assert busy["memory_mb"] > 100
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert busy["cores"] == cores
    assert {"python", "torch", "stemsvc"} <= set(busy["versions"])
    assert {"api", "worker"} <= set(busy["extras"])
    assert 0 <= busy["age_seconds"] < 60
    assert (old["steps"], old["load"], old["lacking"], old["versions"]) == ([], None, {}, {"stemsvc": "0.2.0"})


def test_a_worker_that_is_gone_is_not_listed_nor_a_job_that_is_gone(client: Any, parts: Services) -> None:
    beat(parts, "here", "0" * 32)
    beat(parts, "gone")
    parts.store.workers.leave("gone")
    assert [(each["id"], each["busy"], each["steps"]) for each in client.get("/v1/workers").json["workers"]] == [
        ("here", 1, [])
    ]


def test_only_an_admin_sees_the_workers(client: Any, parts: Services) -> None:
    mine, admin = make(parts, Scope.SUBMIT, Scope.READ), make(parts, Scope.ADMIN)
    assert code(client.get("/v1/workers", headers=mine)) == (403, "forbidden")
    assert client.get("/v1/workers", headers=admin).json == {"workers": []}
