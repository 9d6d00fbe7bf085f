"""A job's row: it round-trips, and rows of the release before and after ours are read, with nothing of them lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.record import Job, JobState, new_job_id
from stemsvc.jobs.spec import Envelope, Input, JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from stemsvc.jobstore.listing import Filter
from stemsvc.jobstore.rows import to_job, to_row
from stemsvc.jobstore.tables import jobs
from stemsvc.kinds.separate.kind import KIND
from tests.specs import spec_of

# As release 0.1 wrote the column `options`.
OF_0_1: dict[str, Any] = {
    "model": "htdemucs",
    "device": "cuda",
    "stems": ["vocals", "no_vocals"],
    "format": "wav",
    "bit_depth": "24",
    "residual": True,
    "filename_template": "{stem}",
    "metadata": {"album": 7},
    "sample_rate": 48000,
    "source_url": "https://example.org/a.mp3",
    "webhook_url": "https://example.org/hook",
    "webhook_events": ["job.failed"],
    "priority": "high",
    "cache": False,
    "separation": {"overlap": 0.5, "shifts": 2, "seed": 7, "segment": 5.0, "precision": "mixed"},
}
_json = st.dictionaries(
    st.text(max_size=5), st.one_of(st.integers(-9, 9), st.text(max_size=5), st.booleans()), max_size=3
)


@st.composite
def any_job(draw: st.DrawFn) -> Job:
    envelope = Envelope(
        draw(st.sampled_from(["auto", "cpu"])),
        draw(st.sampled_from(["high", "low"])),
        draw(st.booleans()),
        draw(st.text(max_size=9)),
        tuple(draw(st.lists(st.text(max_size=5), max_size=2))),
        draw(_json),
    )
    encoding = Encoding(
        draw(st.sampled_from(["wav", "mp3"])),
        draw(st.sampled_from([None, "16"])),
        draw(st.none() | st.integers(1, 9)),
        draw(st.text(max_size=5)),
    )
    spec = JobSpec(
        draw(st.sampled_from(["separate", "reverse"])), draw(_json), envelope, encoding, {"tomorrow": draw(_json)}
    )
    inputs = st.builds(
        Input,
        name=st.text(max_size=5),
        key=st.text(max_size=5),
        bytes=st.integers(0, 9),
        role=st.text(max_size=5),
        url=st.text(max_size=5),
        sha256=st.none() | st.text(max_size=5),
    )
    return Job(
        new_job_id(),
        JobState.QUEUED,
        spec,
        "pool",
        tuple(draw(st.lists(inputs, max_size=3))),
        owner="me",
        cost=2.5,
        outputs={"vocals": {"key": "k"}},
        facts=draw(_json),
        source=draw(_json),
        priority=0,
        request_id="r",
    )


@given(job=any_job())
@settings(max_examples=100, deadline=None, database=None)
def test_a_row_round_trips(job: Job) -> None:
    row = json.loads(json.dumps(to_row(job)))
    assert to_job(row) == job
    assert to_row(to_job(row)) == to_row(job)
    assert set(row) == set(jobs.c.keys())


def test_a_row_round_trips_through_the_store(store: JobStore) -> None:
    spec = spec_of("demo", stems=("vocals",), metadata={"ä": [1, None]}, webhook_events=("job.failed",))
    job = Job(
        new_job_id(), JobState.QUEUED, spec, "pool", (Input("a", "k", 1), Input("b", "l", 2, "voice", "http://x"))
    )
    view = store.intake.put(job, "accepted")

    assert store.get(job.id) == view.job


@pytest.fixture
def old(url: str) -> Any:
    """A store to which release 0.1 wrote a job: before the columns that it does not know were there."""
    migrate(url, "0006")
    store, job_id = JobStore(url), new_job_id()
    values = {
        "id": job_id,
        "state": "queued",
        "options": json.dumps(OF_0_1),
        "pool": "separate.htdemucs.cuda",
        "input_key": f"jobs/{job_id}/input",
        "input_name": "a.mp3",
        "input_bytes": 9,
        "attempt": 0,
        "max_attempts": 3,
        "fraction": 0.0,
        "stage": "queued",
        "created_at": 1.0,
        "source": "{}",
        "outputs": "{}",
        "owner": "me",
    }
    with store._engine.begin() as connection:
        names = ", ".join(values)
        text = f"INSERT INTO jobs ({names}) VALUES ({', '.join(f':{name}' for name in values)})"
        connection.execute(sa.text(text), values)
    migrate(url)
    yield store, job_id
    store.close()


def test_a_row_of_release_0_1_is_read_by_this_one(old: tuple[JobStore, str]) -> None:
    store, job_id = old
    job = store.get(job_id)
    assert job is not None
    assert (job.kind, job.spec.model) == ("separate", "htdemucs")
    params = KIND.read(job.params)
    assert (params.stems, params.residual) == (("vocals", "no_vocals"), True)
    assert (params.separation.overlap, params.separation.precision) == (0.5, "mixed")
    assert job.envelope == Envelope("cuda", "high", False, "https://example.org/hook", ("job.failed",), {"album": 7})
    assert job.encoding == Encoding("wav", "24", 48000, "{stem}")
    (track,) = job.inputs
    assert (track.name, track.bytes, track.url) == ("a.mp3", 9, "https://example.org/a.mp3")

    page = store.page(Filter(owner="me", model="htdemucs", kind="separate"), 10)
    assert [each.id for each in page.jobs] == [job_id]
    taken = store.leases.take(job_id, "worker", 60)  # and it goes its way
    assert taken is not None
    assert store.leases.succeed(taken[1], {}, {})


def test_a_row_of_this_release_has_what_release_0_1_reads(store: JobStore) -> None:
    job = Job(
        new_job_id(), JobState.QUEUED, spec_of("demo", stems=("vocals",)), "pool", (Input("a.mp3", "k", 3, url="u"),)
    )
    store.intake.put(job, "accepted")
    with store._engine.connect() as connection:
        row = connection.execute(sa.select(jobs).where(jobs.c.id == job.id)).mappings().one()

    assert set(row["options"]) == set(OF_0_1)  # a key more, and its JobOptions(**options) raises
    assert set(row["options"]["separation"]) == set(OF_0_1["separation"])
    assert (row["options"]["source_url"], row["input_key"], row["input_name"], row["input_bytes"]) == (
        "u",
        "k",
        "a.mp3",
        3,
    )


def test_what_only_tomorrow_s_release_knows_is_read_over_and_kept(store: JobStore) -> None:
    job = Job(new_job_id(), JobState.QUEUED, spec_of("demo", stems=("vocals",)), "pool", (Input("a.mp3", "k", 3),))
    store.intake.put(job, "accepted")
    with store._engine.begin() as connection:
        row = connection.execute(sa.select(jobs).where(jobs.c.id == job.id)).mappings().one()
        written = {
            "options": {**row["options"], "tomorrow": 1},
            "params": {**row["params"], "tomorrow": [2]},
            "inputs": [{**row["inputs"][0], "tomorrow": {"a": 3}}],
        }
        connection.execute(jobs.update().where(jobs.c.id == job.id).values(written))

    assert store.page(Filter(), 10).jobs[0].id == job.id
    assert KIND.read(store.live()[1][0].params).stems == ("vocals",)
    taken = store.leases.take(job.id, "worker", 60)
    assert taken is not None
    store.leases.give_back(taken[1], "again", 0.0)
    with store._engine.connect() as connection:
        row = connection.execute(sa.select(jobs).where(jobs.c.id == job.id)).mappings().one()
    assert (row["options"]["tomorrow"], row["params"]["tomorrow"], row["inputs"][0]["tomorrow"]) == (1, [2], {"a": 3})
    kept = to_row(to_job(row))
    assert (kept["options"]["tomorrow"], kept["params"]["tomorrow"]) == (1, [2])


def test_a_fetcher_of_release_0_1_hands_on_to_this_one(store: JobStore) -> None:
    """It writes the columns of the one input that it knows, and no more."""
    job_id = new_job_id()
    track = Input("track", f"jobs/{job_id}/input", 0, url="https://example.org/a.mp3")
    store.intake.put(
        Job(job_id, JobState.QUEUED, spec_of("demo"), "fetch", (track,), next_pool="separate.demo.cpu"), "new"
    )
    written = {"input_key": "jobs/x/attempt-1/input", "input_name": "a.mp3", "input_bytes": 9, "next_pool": None}
    with store._engine.begin() as connection:
        connection.execute(jobs.update().where(jobs.c.id == job_id).values(written))

    job = store.get(job_id)
    assert job is not None
    assert job.inputs == (Input("a.mp3", "jobs/x/attempt-1/input", 9, url="https://example.org/a.mp3"),)
