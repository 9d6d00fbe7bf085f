"""Leases that run out: which deaths of workers cost a job an attempt, and which do not."""

from __future__ import annotations

from stemsvc.jobs.record import Job, JobState, Lease, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.leases import WHOLE_WORKERS
from stemsvc.jobstore.tables import workers
from stemsvc.jobstore.workers import MAIN, Worker
from tests.specs import job_of, spec_of

POOL = "separate.demo.cpu"


def accepted(store: JobStore) -> str:
    job_id = new_job_id()
    job = job_of(job_id, JobState.QUEUED, spec_of("demo"), POOL, f"jobs/{job_id}/input", "a.mp3", 1)
    store.intake.put(job, "accepted")
    return job_id


def killed(store: JobStore, job_id: str, worker: str = "host:2") -> Job:
    """The job after an attempt whose process was killed."""
    assert store.leases.take(job_id, worker, -1.0)
    (job,) = store.leases.reap()
    return job


def beat(store: JobStore, worker: str, seconds: float) -> None:
    store.workers.beat(Worker(worker, (POOL,), "cpu", "a cpu"), seconds)


def test_a_job_that_kills_its_process_ends_after_its_attempts(store: JobStore) -> None:
    beat(store, "host:2", -1.0)
    beat(store, "host:3", 60.0)  # the process that was forked in its place
    job_id = accepted(store)
    states = [killed(store, job_id).state for _ in range(3)]

    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    job = store.get(job_id)
    assert job is not None
    assert job.error_code == "worker_lost"


def test_the_death_of_a_whole_worker_costs_no_attempt(store: JobStore) -> None:
    for worker in ("host:2", "host:3"):
        beat(store, worker, -1.0)
    beat(store, "other:1", 60.0)
    job_id = accepted(store)
    for _ in range(WHOLE_WORKERS - 1):
        job = killed(store, job_id)
        assert (job.state, job.max_attempts - job.attempt) == (JobState.QUEUED, 3)

    # when whole workers die again and again with it, then it may be to blame
    states = [killed(store, job_id).state for _ in range(3)]
    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]


def test_the_main_process_tells_whether_its_worker_died_with_the_job(store: JobStore) -> None:
    """Other workers live on the machine all the time."""

    def pool_process(number: int, main: str) -> str:
        name = f"host:{number}"
        store.workers.beat(Worker(name, (POOL,), "cpu", "a cpu", facts={MAIN: main}), 15.0)
        return name

    beat(store, "host:1", 60.0)
    job_id = accepted(store)
    for number in range(2, 12):  # all of a worker is killed; the next one is there before the lease runs out
        store.workers.beat(Worker(f"host:{number}0", (), "", "", slots=0), 15.0)
        lost = pool_process(number, f"host:{number}0")
        store.workers.beat(Worker(f"host:{number + 1}0", (), "", "", slots=0), 15.0)
        later(store, f"host:{number}0", -20.0)
        job = killed(store, job_id, lost)
        if number < WHOLE_WORKERS:
            assert (job.state, job.max_attempts - job.attempt) == (JobState.QUEUED, 3)

    job_id = accepted(store)
    for state in (JobState.QUEUED, JobState.QUEUED, JobState.FAILED):
        lost = pool_process(99, "host:98")
        later(store, "host:99", -10.0)
        store.workers.beat(Worker("host:98", (), "", "", slots=0), 15.0)
        assert killed(store, job_id, lost).state is state


def test_a_main_process_that_is_late_has_its_own_time_before_it_counts_as_dead(store: JobStore) -> None:
    main = Worker("host:1", (), "", "", slots=0)
    store.workers.beat(Worker("host:2", (POOL,), "cpu", "a cpu", facts={MAIN: main.id}), 15.0)
    store.workers.beat(main, 15.0)
    job_id = accepted(store)
    assert store.leases.take(job_id, "host:2", -1.0)
    assert store.leases.reap() == []  # nobody knows yet

    later(store, "host:2", -20.0)
    store.workers.beat(main, 15.0)
    (job,) = store.leases.reap()
    assert (job.state, job.max_attempts - job.attempt) == (JobState.QUEUED, 2)


def later(store: JobStore, worker: str, seconds: float) -> None:
    """As if what the worker reported had been reported so much later."""
    with store._engine.begin() as connection:
        values = {name: workers.c[name] + seconds for name in ("seen_at", "expires_at")}
        connection.execute(workers.update().where(workers.c.id == worker).values(values))


def test_main_processes_run_no_jobs(store: JobStore) -> None:
    store.workers.beat(Worker("host:98", (), "", "", slots=0), 15.0)
    assert store.workers.living() == []
    assert store.workers.slots() == {}


def test_of_a_host_that_nobody_knows_a_death_counts(store: JobStore) -> None:
    job = killed(store, accepted(store), "unknown:1")
    assert (job.state, job.max_attempts - job.attempt) == (JobState.QUEUED, 2)


def test_a_lease_is_held_until_it_runs_out_or_another_attempt_begins(store: JobStore) -> None:
    job_id = accepted(store)
    taken = store.leases.take(job_id, "host:2", 60)
    assert taken is not None
    lease = taken[1]
    assert store.leases.is_held(lease)
    assert not store.leases.is_held(Lease(job_id, lease.attempt + 1, "host:3"))
    store.leases.heartbeat(lease, -1.0, 0.0, "separating")
    assert not store.leases.is_held(lease)
    store.leases.reap()
    assert not store.leases.is_held(lease)
