"""The lease keeper: a lost lease stops the job, a job past its time ends, and so does a process that hangs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from stemsvc.errors import FatalError
from stemsvc.jobs.record import JobState, Lease, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.processes import wait_for
from tests.schema import fresh_schema
from tests.specs import job_of, spec_of
from workers.attempt.lease import LeaseKeeper, LeaseLost
from workers.host.dead import end_leases_of_the_dead
from workers.host.identity import worker_name


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    fresh_schema(url)
    return url


@pytest.fixture
def store(url: str) -> Iterator[JobStore]:
    store = JobStore(url)
    yield store
    store.close()


def running(store: JobStore, worker: str = "worker", max_attempts: int = 3) -> Lease:
    job_id = new_job_id()
    options = spec_of("demo", stems=("vocals",))
    job = job_of(job_id, JobState.QUEUED, options, "separate.demo.cpu", f"jobs/{job_id}/input", "a", 1)
    store.intake.put(replace(job, max_attempts=max_attempts), "new")
    taken = store.leases.take(job_id, worker, 60.0)
    assert taken is not None
    return taken[1]


def test_a_lost_lease_is_told_at_the_next_report(store: JobStore) -> None:
    lease = running(store)
    with LeaseKeeper(store, lease, 0.2) as keeper:
        keeper.report("separating", 0, 10)
        store.cancel(lease.job_id, "by the client")
        with pytest.raises(LeaseLost):
            keeper.wait(30)
        with pytest.raises(LeaseLost):
            keeper.report("separating", 1, 10)


def test_a_job_past_its_limit_is_told_so(store: JobStore) -> None:
    with LeaseKeeper(store, running(store), 0.2) as keeper:
        keeper.limit(600)
        keeper.report("separating", 1, 10)
        keeper.limit(-1)
        with pytest.raises(FatalError) as caught:
            keeper.report("separating", 2, 10)
        keeper.limit(None)
        keeper.report("waiting", 0, 0)

    assert caught.value.code == "time_limit"


# A process that has a job and hangs: in a call that lets other threads run, or with the interpreter locked in C.
HANGING = """
    import re, sys, threading
    from stemsvc.jobs.record import Lease
    from stemsvc.jobstore import JobStore
    from stemsvc.control.subscribers import count_end
    from workers.attempt import lease
    lease.OBEY_SECONDS, lease.DEAF_SECONDS = 0.3, 2.0
    with lease.LeaseKeeper(JobStore(sys.argv[1], (count_end,)), Lease(sys.argv[2], 1, "worker"), 0.4) as keeper:
        keeper.limit(1.0 if sys.argv[3] == "waiting" else 600)
        keeper.report("separating", 1, 10)
        threading.Event().wait(0.5)
        print("hanging", flush=True)
        threading.Event().wait() if sys.argv[3] == "waiting" else re.match("(a+)+$", "a" * 60 + "b")
"""


@pytest.mark.parametrize("how", ["waiting", "locked"])
@pytest.mark.long
def test_a_process_that_hangs_ends(store: JobStore, url: str, how: str, tmp_path: Path) -> None:
    lease = running(store)
    command = [sys.executable, "-c", textwrap.dedent(HANGING), url, lease.job_id, how]
    figures = tmp_path / "figures"
    figures.mkdir()
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(figures)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)

    assert done.stdout.startswith("hanging\n")
    assert done.returncode == (-9 if how == "waiting" else 1)
    job = store.get(lease.job_id)
    assert job is not None
    if how == "waiting":  # its own thread could still say so; else the lease runs out
        assert (job.state, job.error_code) == (JobState.FAILED, "time_limit")
        labels = {"kind": "separate", "model": "demo", "state": "failed", "code": "time_limit"}
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(figures))  # type: ignore[no-untyped-call]
        assert registry.get_sample_value("demucs_jobs_total", labels) == 1
    else:
        assert [each.id for each in wait_for("the lease to run out", store.leases.reap)] == [lease.job_id]


def name_of_a_dead_process() -> str:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        return worker_name(child.pid)


def test_leases_of_dead_processes_end_at_once_and_no_others(store: JobStore, url: str, tmp_path: Path) -> None:
    settings = Settings(database_url=url, data_dir=tmp_path / "data")
    dead = name_of_a_dead_process()
    names = (dead, dead, worker_name(os.getpid()), f"elsewhere:{dead.rpartition(':')[2]}", "odd")
    first, second, *_ = (running(store, name).job_id for name in names)

    assert end_leases_of_the_dead(settings, first) == 1
    assert set(store.outbox.due()) == {first}
    assert end_leases_of_the_dead(settings) == 1
    assert set(store.outbox.due()) == {first, second}
    assert end_leases_of_the_dead(settings, "nobody") == 0


def test_a_job_that_the_cleaner_of_the_dead_fails_is_counted_and_erased(
    store: JobStore, url: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=url, data_dir=tmp_path / "data")
    lease = running(store, name_of_a_dead_process(), max_attempts=1)
    storage = open_storage(settings)
    for key in (f"jobs/{lease.job_id}/input", f"{lease.prefix}/vocals.flac"):
        storage.put(key, io.BytesIO(b"music"), "audio/flac")
    labels = {"kind": "separate", "model": "demo", "state": "failed", "code": "worker_lost"}
    before = REGISTRY.get_sample_value("demucs_jobs_total", labels) or 0.0

    assert end_leases_of_the_dead(settings, lease.job_id) == 1
    job = store.get(lease.job_id)
    assert job is not None
    assert (job.state, job.error_code) == (JobState.FAILED, "worker_lost")
    assert storage.keys("") == [f"jobs/{lease.job_id}/input"]  # for another try
    assert REGISTRY.get_sample_value("demucs_jobs_total", labels) == before + 1


def test_a_store_that_is_away_leaves_the_dead_to_time(tmp_path: Path) -> None:
    assert end_leases_of_the_dead(Settings(database_url=f"sqlite:///{tmp_path / 'none.sqlite'}")) == 0
