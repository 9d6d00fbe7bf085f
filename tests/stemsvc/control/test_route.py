from __future__ import annotations

from typing import cast

import pytest

from stemsvc.control.accept import Acceptance, Request, Rules
from stemsvc.control.publish import Sender
from stemsvc.control.route import Router, choose_pool
from stemsvc.errors import TransientError, UsageError
from stemsvc.jobs.pools import Pool, single
from stemsvc.jobs.record import JobState, input_key, new_job_id
from stemsvc.jobs.spec import JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.workers import Worker
from stemsvc.kinds.base import Needs
from stemsvc.kinds.limits import Limits
from stemsvc.kinds.separate.kind import KIND, SeparateParams, separation
from stemsvc.models.catalog import load_catalog
from stemsvc.models.entry import ModelEntry
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from tests.specs import job_of, spec_of
from tests.stemsvc.conftest import sqlite_of
from tests.stemsvc.control.parts import OPTIONS, accept, make, upload

DEMO = load_catalog().get("demo")
CPU, CUDA = single("demo", "cpu"), single("demo", "cuda")


@pytest.fixture
def url(settings: Settings) -> str:
    return sqlite_of(settings)


def needs(entry: ModelEntry) -> Needs:
    return KIND.needs(SeparateParams(entry.name), load_catalog())


def live(store: JobStore, pool: str, name: str = "one", seconds: float = 60.0) -> None:
    store.workers.beat(Worker(name, (pool,), "cpu", "a processor", kinds=("separate",)), seconds)
    store.workers._known_until = 0.0


def test_auto_prefers_an_accelerator_and_says_why() -> None:
    choice = choose_pool([CPU, CUDA], "separate", needs(DEMO), "auto")
    assert (choice.pool, choice.alive) == (CUDA, False)
    assert choice.why == "device auto: separate.demo.cuda comes first of 2; it waits for a worker there"
    assert choose_pool([CPU, CUDA], "separate", needs(DEMO), "cpu").pool == CPU


def test_who_lives_comes_before_who_would_be_faster() -> None:
    choice = choose_pool([CUDA, CPU], "separate", needs(DEMO), "auto", slots={CPU.name: 1})
    assert (choice.pool, choice.alive) == (CPU, True)
    assert choice.why == "device auto: separate.demo.cpu is the only one with a live worker"


def test_an_operators_priority_comes_before_the_device() -> None:
    spare = CUDA.model_copy(update={"priority": -1})
    assert choose_pool([spare, CPU], "separate", needs(DEMO), "auto").pool == CPU


def test_of_equal_pools_the_one_with_the_shortest_line_for_its_slots_is_chosen() -> None:
    pools = [Pool(name=name, models=("demo",), device=f"cuda:{number}") for number, name in enumerate("ab")]
    choice = choose_pool(
        pools, "separate", needs(DEMO), "cuda", slots={"a": 1, "b": 4}, waiting=lambda: {"a": 2, "b": 4}
    )
    assert choice.pool.name == "b"
    assert choice.why == "device cuda: b has the shortest queue, 4 jobs for 4 slots"
    assert choose_pool(pools, "separate", needs(DEMO), "cuda:0").pool.name == "a"


def test_a_job_goes_where_there_is_memory_and_time_enough_for_it() -> None:
    entry = load_catalog().get("htdemucs")
    small, large = single("htdemucs", "cuda", entry.memory_mb - 1), single("htdemucs", "cpu", entry.memory_mb)
    assert choose_pool([small, large], "separate", needs(entry), "auto").pool == large
    with pytest.raises(UsageError) as caught:
        choose_pool([small, large], "separate", needs(entry), "cuda")
    assert caught.value.code == "not_enough_memory"

    quick = CPU.model_copy(update={"name": "quick", "time_limit": 60.0, "priority": 5})
    assert choose_pool([quick, CPU], "separate", needs(DEMO), "auto", seconds=59).pool == quick
    assert choose_pool([quick, CPU], "separate", needs(DEMO), "auto", seconds=61).pool == CPU
    with pytest.raises(UsageError) as caught:
        choose_pool([quick], "separate", needs(DEMO), "auto", seconds=61)
    assert caught.value.code == "too_much_work"


def test_a_job_without_a_living_pool_waits_and_says_so(settings: Settings, store: JobStore, storage: Storage) -> None:
    work = make(settings, store, storage)
    job = work.acceptance.accept([upload()], OPTIONS, Request()).job

    view = store.view(job.id)
    assert view is not None
    assert view.job.stage == "waiting_for_pool"
    assert "it waits for a worker there" in view.timeline[0].why
    assert store.snapshots([job.id])[job.id].stage == "waiting_for_pool"

    live(store, job.pool)
    view = store.view(job.id)
    assert view is not None
    assert view.job.stage == "queued"
    store.workers.leave("one")
    store.workers._known_until = 0.0
    assert store.snapshots([job.id])[job.id].stage == "waiting_for_pool"


def test_or_is_refused_where_the_settings_say_so(store: JobStore) -> None:
    router = Router(store, load_catalog(), [CPU], patience=300, refuse=True)
    with pytest.raises(TransientError) as caught:
        router.choose("separate", needs(DEMO), "auto", 1.0)
    assert (caught.value.code, caught.value.retry_after) == ("no_live_pool", 30.0)

    live(store, CPU.name)
    assert router.choose("separate", needs(DEMO), "auto", 1.0).alive


def test_jobs_leave_a_pool_that_had_no_worker_for_long(settings: Settings, store: JobStore, storage: Storage) -> None:
    work = make(settings, store, storage, pools=[CUDA, CPU], patience=0.0)
    (job,) = accept(work)
    wish = work.acceptance.accept([upload()], spec_of("demo", "cuda", ("vocals",)), Request()).job
    assert {job.pool, wish.pool} == {CUDA.name}
    work.dispatcher.sweep()
    assert {each.pool for each in (store.get(job.id), store.get(wish.id)) if each} == {CUDA.name}  # nowhere to go

    live(store, CPU.name)
    work.dispatcher.sweep()

    view = store.view(job.id)
    assert view is not None
    assert (view.job.pool, view.job.stage) == (CPU.name, "queued")
    assert view.timeline[-1].why.startswith("separate.demo.cuda has no worker; device auto: separate.demo.cpu is")
    stayed = store.get(wish.id)
    assert stayed is not None
    assert stayed.pool == CUDA.name  # it asked for that device
    assert {pool: sum(line.values()) for pool, line in store.waiting().items()} == {CPU.name: 1, CUDA.name: 1}


def test_a_pool_that_restarts_keeps_its_jobs(settings: Settings, store: JobStore, storage: Storage) -> None:
    work = make(settings, store, storage, pools=[CUDA, CPU], patience=300.0)
    live(store, CUDA.name, "gpu")
    live(store, CPU.name)
    (job,) = accept(work)
    store.workers.leave("gpu")
    store.workers._known_until = 0.0

    work.dispatcher.sweep()

    kept = store.get(job.id)
    assert kept is not None
    assert kept.pool == CUDA.name


def open_spec() -> JobSpec:
    """A separation that names no model, as acceptance specifies it."""
    return separation(KIND.check(SeparateParams(), ("source",), load_catalog()))


def test_a_job_that_names_no_model_goes_where_a_worker_is(
    settings: Settings, store: JobStore, storage: Storage
) -> None:
    pools = [single("htdemucs", "cpu"), CPU]
    work = make(settings, store, storage, pools=pools)
    accepted = [work.acceptance.accept([upload()], open_spec(), Request()).job]
    live(store, CPU.name)
    accepted += [work.acceptance.accept([upload()], open_spec(), Request()).job]
    live(store, pools[0].name, "two")
    accepted += [work.acceptance.accept([upload()], open_spec(), Request()).job]

    assert [job.pool for job in accepted] == [pools[0].name, CPU.name, pools[0].name]
    assert {job.spec.model for job in accepted} == {"htdemucs"}  # until a worker settles it


def test_where_no_pool_has_a_worker_and_that_is_refused_it_is_refused(store: JobStore, storage: Storage) -> None:
    pools = [single("htdemucs", "cpu"), CPU]
    router = Router(store, load_catalog(), pools, patience=300, refuse=True)
    rules = Rules(Bounds(100, 100), Limits(600, 600, 10), max_attempts=2, min_free_bytes=0)
    acceptance = Acceptance(store, cast(Sender, None), storage, load_catalog(), router, rules)
    with pytest.raises(TransientError) as caught:
        acceptance.accept([upload()], open_spec(), Request())

    assert caught.value.code == "no_live_pool"


def test_the_reason_names_pools_that_can_not_do_it() -> None:
    entry = load_catalog().get("htdemucs")
    small = single("htdemucs", "cuda", entry.memory_mb - 1)
    brief = single("htdemucs", "cuda:1").model_copy(update={"time_limit": 5.0})
    bare, able = single("htdemucs", "cuda:2"), single("htdemucs", "cpu")
    slots = {able.name: 1}
    pools, present = [small, brief, bare, able], {**slots, bare.name: 1}
    choice = choose_pool(pools, "separate", needs(entry), "auto", seconds=9.0, slots=slots, present=present)

    assert choice.pool == able
    assert choice.why == (
        "device auto: separate.htdemucs.cpu is the only one with a live worker"
        f"; not separate.htdemucs.cuda: it has {entry.memory_mb - 1} MB of {entry.memory_mb}"
        "; not separate.htdemucs.cuda:1: it allows 5 s"
        "; not separate.htdemucs.cuda:2: its workers lack the packages of separate"
    )


def test_jobs_of_a_drained_pool_go_at_once_to_another_that_serves_them(store: JobStore, settings: Settings) -> None:
    router = Router(store, load_catalog(), [CPU, CUDA], patience=3600.0)
    job_id = new_job_id()
    job = job_of(job_id, JobState.QUEUED, spec_of("demo"), CUDA.name, input_key(job_id), "a.mp3", 1)
    store.intake.put(job, "accepted")
    live(store, CUDA.name)

    store.drains.drain(CUDA.name)
    live(store, CUDA.name)
    assert router.sweep() == 0  # no other pool lives: it waits
    live(store, CPU.name, "two")
    assert router.choose("separate", needs(DEMO), "auto", 1.0).pool == CPU
    assert router.sweep() == 1

    view = store.view(job_id)
    assert view is not None
    assert (view.job.pool, view.timeline[-1].why) == (
        CPU.name,
        "separate.demo.cuda is drained; device auto: separate.demo.cpu is the only one with a live worker",
    )
