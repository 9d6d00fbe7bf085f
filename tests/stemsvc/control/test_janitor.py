"""What has had its time goes; what somebody has a use for stays."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from stemsvc.control.janitor import Janitor
from stemsvc.jobs.record import Job, JobState, Lease, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.conversations import Conversation
from stemsvc.jobstore.uploads import Upload
from stemsvc.settings import Settings
from stemsvc.storage import Storage, open_storage
from stemsvc.storage.local import LocalStorage
from tests.schema import fresh_schema
from tests.specs import job_of, spec_of


@dataclass
class World:
    store: JobStore
    storage: Storage
    now: float = 0.0

    def janitor(self, stems_ttl: float = 0, rows_ttl: float = 0) -> Janitor:
        return Janitor(self.store, self.storage, stems_ttl, rows_ttl, suspect_seconds=60, clock=lambda: self.now)

    def put(self, key: str, data: bytes = b"la") -> str:
        self.storage.put(key, io.BytesIO(data), "audio/flac")
        return key

    def upload(self, seconds: float = 60.0) -> Upload:
        return self.store.uploads.add(Upload(new_job_id(), "me", "song.mp3", 3), seconds, 100)

    def job(self) -> Job:
        job_id = new_job_id()
        options = spec_of("demo", stems=("vocals",))
        self.put(input_key(job_id))
        return self.store.intake.put(
            job_of(job_id, JobState.QUEUED, options, "separate.demo.cpu", input_key(job_id), "song.mp3", 2), "accepted"
        ).job

    def lease(self, job: Job) -> Lease:
        taken = self.store.leases.take(job.id, "worker", 60)
        assert taken is not None
        return taken[1]

    def finished(self) -> tuple[Job, str]:
        job = self.job()
        lease = self.lease(job)
        key = self.put(f"{lease.prefix}/vocals.flac")
        self.store.leases.succeed(lease, {}, {"vocals": {"key": key}})
        self.storage.delete(job.inputs[0].key)
        return job, key


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    yield World(store, open_storage(settings))
    store.close()


def test_stems_expire_with_their_objects_and_later_the_record(world: World) -> None:
    job, key = world.finished()
    world.janitor(stems_ttl=60, rows_ttl=60).sweep()
    assert world.storage.keys("") == [key]

    world.janitor(stems_ttl=1e-9).sweep()
    assert world.storage.keys("") == []
    expired = world.store.get(job.id)
    assert expired is not None
    assert expired.state is JobState.EXPIRED

    world.janitor(rows_ttl=1e-9).sweep()
    assert world.store.get(job.id) is None


def test_nothing_expires_where_no_time_is_set(world: World) -> None:
    job, key = world.finished()
    world.janitor().sweep()

    assert world.storage.keys("") == [key]
    assert world.store.get(job.id) is not None


def test_what_a_job_uses_is_no_orphan(world: World) -> None:
    queued, running = world.job(), world.job()
    lease = world.lease(running)
    _, stem = world.finished()
    used = [queued.inputs[0].key, running.inputs[0].key, world.put(f"{lease.prefix}/vocals.flac"), stem]
    janitor = world.janitor()
    for _ in range(3):
        janitor.sweep()
        world.now += 3600

    assert world.storage.keys("") == sorted(used)


def test_what_a_row_has_no_use_for_goes_at_once(world: World) -> None:
    # given an attempt that was given up, the file of a job that was canceled, and what a worker left when it died
    # between its commit and its tidying
    running = world.job()
    first = world.lease(running)
    world.put(f"{first.prefix}/vocals.flac")
    world.store.leases.give_back(first, "worker gone", -1)
    world.lease(running)
    canceled = world.job()
    world.store.cancel(canceled.id, "by the client")
    done, stem = world.finished()
    world.put(done.inputs[0].key)
    world.janitor().sweep()

    assert world.storage.keys("") == sorted([running.inputs[0].key, stem, canceled.inputs[0].key])


def test_a_file_without_a_row_goes_once_it_has_been_so_for_a_while(world: World) -> None:
    coming, orphan = world.put(input_key(new_job_id())), world.put(input_key(new_job_id()))
    janitor = world.janitor()
    janitor.sweep()
    assert set(world.storage.keys("")) == {coming, orphan}

    # when the row of one has come, and an hour has passed
    world.store.intake.put(
        job_of(coming.split("/")[1], JobState.QUEUED, spec_of("demo"), "separate.demo.cpu", coming, "a", 2), "accepted"
    )
    world.now += 60
    janitor.sweep()
    assert world.storage.keys("") == [coming]


def test_what_is_sent_to_an_upload_that_is_gone_goes_with_the_next_sweep(world: World) -> None:
    # given what a storage can't refuse: bytes for uploads that were deleted or never made, and another key of one's own
    kept, deleted = world.upload(), world.upload()
    for key in (kept.key, deleted.key, f"uploads/{new_job_id()}/file", f"uploads/{kept.id}/other"):
        world.put(key)
    assert world.store.uploads.delete(deleted.id)
    world.janitor().sweep()

    assert world.storage.keys("") == [kept.key]


def test_an_upload_goes_as_soon_as_its_time_is_over(world: World) -> None:
    upload = world.upload(seconds=-0.001)
    world.put(upload.key)
    world.janitor().sweep()

    assert world.storage.keys("") == []
    assert world.store.uploads.expired() == []


def test_an_upload_that_is_larger_than_it_may_be_is_removed(world: World) -> None:
    small, large = world.upload(), world.upload()
    world.put(small.key, b"abc")
    world.put(large.key, b"abcd")
    world.janitor().sweep()

    assert world.storage.keys("") == [small.key]
    assert world.store.uploads.find(large.id) is not None  # the client may send another file


def test_drafts_of_dead_writers_go(world: World) -> None:
    assert isinstance(world.storage, LocalStorage)
    used = world.job().inputs[0].key
    root = world.storage._root
    drafts = [root / used.replace("input", ".part-input.0"), root / ".part-x1y2z3_8"]
    for draft in drafts:
        draft.write_bytes(b"half a song")
    world.janitor().sweep()
    assert all(draft.exists() for draft in drafts)

    world.storage._draft_seconds = 0.0
    world.janitor().sweep()
    assert [path for path in root.rglob("*") if path.is_file()] == [root / used]


def test_conversations_are_erased_after_their_time_alone(world: World) -> None:
    world.store.conversations.add(Conversation("a", "me"))
    world.janitor().sweep()  # 0: for ever
    assert world.store.conversations.get("a") is not None
    janitor = world.janitor()
    janitor.conversations_ttl = 0.001
    time.sleep(0.01)  # SQLite's clock ticks in milliseconds
    janitor.sweep()
    assert world.store.conversations.get("a") is None
