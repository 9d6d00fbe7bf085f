"""Running one job in this process: what each kind of failure does to the row, the storage and the scratch disk."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

import numpy as np
import pytest
from celery.exceptions import SoftTimeLimitExceeded

from stemsvc.accounts.keys import DEFAULT_SCOPES, new_key
from stemsvc.control.subscribers import Eraser, count_end
from stemsvc.errors import (
    DeviceOutOfMemory,
    NotAudio,
    StorageUnavailable,
    StoreUnavailable,
    TransientError,
)
from stemsvc.jobs.part import Part
from stemsvc.jobs.pools import FETCH, Pool, single
from stemsvc.jobs.record import Job, JobState, Lease, new_job_id
from stemsvc.jobs.spec import Envelope, JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.leases import Leases
from stemsvc.kinds import limits
from stemsvc.kinds.separate.kind import SeparateParams
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from stemsvc.storage.local import LocalStorage
from tests.containers import pcm16, wav
from tests.observers import BREAKS, broken
from tests.schema import fresh_schema
from tests.sounds import tone, write_sound
from tests.specs import job_of, spec_of
from workers.attempt.lease import LeaseKeeper
from workers.attempt.retry import backoff
from workers.attempt.runner import Runner
from workers.engine.separate import Separator
from workers.host.device import DeviceTurns
from workers.host.models import Models
from workers.sources.protocol import Fetched, Order

T = TypeVar("T")


class Moody(LocalStorage):
    """A local storage whose next puts fail, as a storage does that is down for a while."""

    failing = 0

    def put(self, key: str, data: BinaryIO, content_type: str) -> int:
        if self.failing:
            self.failing -= 1
            raise StorageUnavailable("down for a while")
        return super().put(key, data, content_type)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    changes = {"retry_base_seconds": 0.001, "lease_seconds": 5.0, "max_duration_seconds": 60.0, "patience_seconds": 0}
    return settings.model_copy(update=changes)


@pytest.fixture(scope="module")
def models() -> Models:
    """Loaded once: what each test needs of them is that they work."""
    return Models()


class Make(Protocol):
    """Makes a runner over the same store and storage; keywords change its settings, or a part of it."""

    def __call__(self, **changes: Any) -> Runner:
        """The runner."""
        raise NotImplementedError


@pytest.fixture
def make(settings: Settings, models: Models) -> Iterator[Make]:
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    storage = Moody(settings.data_dir / "objects", b"key")
    store = JobStore(settings.resolved_database_url, (Eraser(storage), count_end))
    parts = {"catalog": load_catalog(), "store": store, "storage": storage, "models": models, "pools": ()}

    def made(**changes: Any) -> Runner:
        own = {name: changes.pop(name, part) for name, part in parts.items()}
        return Runner.of(settings.model_copy(update=changes), **own)

    yield made
    store.close()


@pytest.fixture
def runner(make: Make) -> Runner:
    return make()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "song.flac", tone(3.0, 44100), 44100)


OPTIONS = spec_of("demo", stems=("vocals",), format="flac", bit_depth="16")


def accept(runner: Runner, song: Path, spec: JobSpec = OPTIONS, url: str = "", **changes: object) -> str:
    job_id = new_job_id()
    job = job_of(job_id, JobState.QUEUED, spec, "separate.demo.cpu", f"jobs/{job_id}/input", song.name, 1, url)
    job = replace(job, **changes)  # type: ignore[arg-type]
    with song.open("rb") as file:
        runner.storage.put(job.inputs[0].key, file, "audio/flac")
    runner.store.intake.put(job, "accepted")
    return job_id


PREVIEWS = ("peaks.bin", "preview.pack", "preview.json")


def stored(runner: Runner, job_id: str) -> list[str]:
    """Keys of all objects but previews, below the job's."""
    keys = [key.removeprefix(f"jobs/{job_id}/") for key in runner.storage.keys("")]
    return [key for key in keys if not key.endswith(PREVIEWS)]


def state(runner: Runner, job_id: str) -> tuple[str, str | None]:
    job = runner.store.get(job_id)
    assert job is not None
    assert not list(runner.scratch.base.glob("*"))  # nothing of an attempt outlives it
    return str(job.state), job.error_code


def during_separation(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have `act` happen in the middle of the job, where the network would run."""

    def separate(
        self: object, mixture: object, stems: object, options: object, on_segment: Callable[[int, int], None]
    ) -> Iterator[dict[str, np.ndarray]]:
        act()
        on_segment(1, 1)
        yield {}
        raise AssertionError("the job should have ended")

    monkeypatch.setattr(Separator, "separate", separate)


def test_a_job_succeeds_and_keeps_nothing_but_its_stems(runner: Runner, song: Path) -> None:
    job_id = accept(runner, song)
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("succeeded", None)
    assert stored(runner, job_id) == ["attempt-1/manifest.json", "attempt-1/vocals.flac"]
    job = runner.store.get(job_id)
    assert job is not None
    assert job.source == {
        "codec": "flac",
        "sample_rate": 44100,
        "channels": 2,
        "frames": 132300,
        "duration_seconds": 3.0,
        "broken_packets": 0,
    }


def test_a_job_ends_as_it_would_whatever_observer_fails(runner: Runner, song: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise.flac"
    noise.write_bytes(b"no audio")
    good, bad = accept(runner, song), accept(runner, noise)
    with broken(*BREAKS):
        for job_id in (good, bad):
            runner.run(job_id, "worker")

    assert (state(runner, good), state(runner, bad)) == (("succeeded", None), ("failed", "not_audio"))
    assert stored(runner, good) == ["attempt-1/manifest.json", "attempt-1/vocals.flac"]


def test_a_message_that_comes_twice_runs_once(runner: Runner, song: Path) -> None:
    job_id = accept(runner, song)
    runner.run(job_id, "first")
    before = runner.store.view(job_id)
    runner.run(job_id, "second")

    assert runner.store.view(job_id) == before


PATIENT = {"patience_seconds": 600.0}  # a runner that asks again for as long as any test lasts


def test_storage_that_comes_back_soon_costs_no_second_separation(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    separations: list[object] = []
    separate = Separator.separate

    def counted(self: Separator, *arguments: Any) -> Any:
        separations.append(arguments)
        return separate(self, *arguments)

    monkeypatch.setattr(Separator, "separate", counted)
    job_id = accept(runner, song)
    assert isinstance(runner.storage, Moody)
    runner.storage.failing = 3
    make(**PATIENT).run(job_id, "worker")

    assert state(runner, job_id) == ("succeeded", None)
    assert len(separations) == 1
    assert runner.storage.failing == 0


def test_a_cancel_ends_the_wait_for_an_absent_storage(
    runner: Runner, song: Path, make: Make, settings: Settings
) -> None:
    job_id = accept(runner, song)
    storage = runner.storage

    class Away(Moody):
        def put(self, key: str, data: BinaryIO, content_type: str) -> int:
            runner.store.cancel(job_id, "by the client")
            raise StorageUnavailable("down for good")

    away = Away(settings.data_dir / "objects", b"key")
    make(storage=away, **PATIENT).run(job_id, "worker")

    assert state(runner, job_id) == ("canceled", None)
    assert [key for key in storage.keys("") if "attempt" in key] == []


class Forgetful(Leases):
    """A store that is away for the next commits, before or after it has done them."""

    before = after = 0

    def succeed(self, *arguments: Any) -> bool:
        if self.before:
            self.before -= 1
            raise StoreUnavailable("away")
        done = super().succeed(*arguments)
        if self.after:
            self.after -= 1
            raise StoreUnavailable("the answer was lost")
        return done

    def hand_on(self, *arguments: Any) -> bool:
        done = super().hand_on(*arguments)
        if self.after:
            self.after -= 1
            raise StoreUnavailable("the answer was lost")
        return done


class Vanishing(Leases):
    """A store that answers nothing any more once it has done a commit."""

    gone = False

    def _answer(self, done: Callable[[], T]) -> T:
        if self.gone:
            raise StoreUnavailable("away for good")
        return done()

    def succeed(self, *arguments: Any) -> bool:
        self._answer(lambda: Leases.succeed(self, *arguments))
        self.gone = True
        raise StoreUnavailable("the answer was lost")

    def hand_on(self, *arguments: Any) -> bool:
        self._answer(lambda: Leases.hand_on(self, *arguments))
        self.gone = True
        raise StoreUnavailable("the answer was lost")

    def is_committed(self, lease: Lease) -> bool:
        return self._answer(lambda: Leases.is_committed(self, lease))

    def give_back(self, *arguments: Any, **how: Any) -> bool:
        return self._answer(lambda: Leases.give_back(self, *arguments, **how))

    def heartbeat(self, *arguments: Any) -> bool:
        return self._answer(lambda: Leases.heartbeat(self, *arguments))


class MoodyStore(JobStore):
    """A store whose leases are of another class, and which answers as they do."""

    def __init__(self, settings: Settings, runner: Runner, leases: type[Leases]) -> None:
        super().__init__(settings.resolved_database_url, (Eraser(runner.storage),))
        self.leases = leases(self._engine, self._moves, lambda job_id: None)

    def get(self, job_id: str) -> Job | None:
        if getattr(self.leases, "gone", False):
            raise StoreUnavailable("away for good")
        return super().get(job_id)


@pytest.mark.parametrize(("before", "after"), [(3, 0), (0, 1), (1, 1)])
def test_a_store_that_is_away_at_the_commit_loses_nothing(
    runner: Runner, song: Path, before: int, after: int, make: Make, settings: Settings
) -> None:
    job_id = accept(runner, song)
    store = MoodyStore(settings, runner, Forgetful)
    leases = store.leases
    assert isinstance(leases, Forgetful)
    leases.before, leases.after = before, after
    make(store=store, **PATIENT).run(job_id, "worker")
    store.close()

    assert state(runner, job_id) == ("succeeded", None)
    assert (leases.before, leases.after) == (0, 0)
    assert stored(runner, job_id) == ["attempt-1/manifest.json", "attempt-1/vocals.flac"]


def test_a_commit_whose_answer_was_lost_stands_though_the_row_is_seen_to_have_moved(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch, make: Make, settings: Settings
) -> None:
    # the pause before the next try is longer than a heartbeat, which finds the row no longer running
    monkeypatch.setattr("workers.attempt.retry.backoff", lambda *_: 2.5)
    job_id = accept(runner, song)
    store = MoodyStore(settings, runner, Forgetful)
    assert isinstance(store.leases, Forgetful)
    store.leases.after = 1
    make(store=store, **PATIENT).run(job_id, "worker")
    store.close()

    assert state(runner, job_id) == ("succeeded", None)
    assert stored(runner, job_id) == ["attempt-1/manifest.json", "attempt-1/vocals.flac"]


def test_nothing_is_erased_while_nobody_can_tell_whether_the_commit_was_done(
    runner: Runner, song: Path, make: Make, settings: Settings
) -> None:
    job_id = accept(runner, song)
    store = MoodyStore(settings, runner, Vanishing)
    with pytest.raises(TransientError):
        make(store=store).run(job_id, "worker")
    store.close()

    assert state(runner, job_id) == ("succeeded", None)
    assert {"attempt-1/manifest.json", "attempt-1/vocals.flac"} <= set(stored(runner, job_id))


@pytest.mark.parametrize("leases_are", [Forgetful, Vanishing])
def test_a_fetched_track_is_kept_though_the_answer_was_lost(
    runner: Runner,
    song: Path,
    monkeypatch: pytest.MonkeyPatch,
    leases_are: type[Leases],
    make: Make,
    settings: Settings,
) -> None:
    def fetched(order: Order, on_progress: object) -> Fetched:
        path = shutil.copy(song, Path(order.folder) / "song.flac")
        return Fetched(str(path), "song.flac", 3.0)

    monkeypatch.setattr("workers.attempt.fetch.fetch", fetched)
    monkeypatch.setattr("workers.attempt.retry.backoff", lambda *_: 2.5)
    url = "https://example.org/song.flac"
    job_id = accept(runner, song, url=url, pool=FETCH, next_pool="separate.demo.cpu")
    store = MoodyStore(settings, runner, leases_are)
    if isinstance(store.leases, Forgetful):
        store.leases.after = 1
        make(store=store, **PATIENT).run(job_id, "worker")
    else:
        with pytest.raises(TransientError):
            make(store=store).run(job_id, "worker")
    store.close()

    runner.run(job_id, "worker")
    assert state(runner, job_id) == ("succeeded", None)


def test_storage_that_comes_back_costs_an_attempt(runner: Runner, song: Path) -> None:
    job_id = accept(runner, song)
    assert isinstance(runner.storage, Moody)
    runner.storage.failing = 1
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("queued", None)
    assert runner.storage.keys("") == [f"jobs/{job_id}/input"]
    view = runner.store.view(job_id)
    assert view is not None
    assert view.timeline[-1].why.startswith("storage_unavailable: down for a while; again in")

    runner.run(job_id, "worker")
    assert state(runner, job_id) == ("succeeded", None)
    assert stored(runner, job_id) == ["attempt-2/manifest.json", "attempt-2/vocals.flac"]


def test_storage_that_stays_away_fails_the_job_after_its_last_attempt(runner: Runner, song: Path) -> None:
    job_id = accept(runner, song, max_attempts=2)
    assert isinstance(runner.storage, Moody)
    runner.storage.failing = 9
    runner.run(job_id, "worker")
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("failed", "storage_unavailable")
    assert runner.storage.keys("") == []


def test_a_bad_file_fails_at_once_and_is_erased(runner: Runner, tmp_path: Path) -> None:
    letter = tmp_path / "letter.mp3"
    letter.write_text("no music" * 100)
    job_id = accept(runner, letter)
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("failed", "not_audio")
    assert runner.storage.keys("") == []


def test_an_input_that_vanished_is_said_so(runner: Runner, song: Path) -> None:
    job_id = accept(runner, song)
    runner.storage.delete(f"jobs/{job_id}/")
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("failed", "input_gone")


def test_a_cancel_in_the_middle_ends_the_work(runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = accept(runner, song)

    def cancel_and_wait_until_it_is_noticed() -> None:
        assert runner.store.cancel(job_id, "the client asked")
        (keeper,) = [thread for thread in threading.enumerate() if thread.name == f"lease-{job_id}"]
        keeper.join(10)

    during_separation(monkeypatch, cancel_and_wait_until_it_is_noticed)
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("canceled", None)
    assert [key for key in runner.storage.keys("") if "attempt" in key] == []


@pytest.mark.parametrize(
    ("error", "code"), [(SoftTimeLimitExceeded(), "time_limit"), (RuntimeError("a bug"), "internal_error")]
)
def test_what_is_raised_in_the_middle_fails_the_job_with_a_code(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def explode() -> None:
        raise error

    job_id = accept(runner, song)
    during_separation(monkeypatch, explode)
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("failed", code)
    assert runner.storage.keys("") == []


def test_a_worker_that_is_told_to_end_gives_its_job_back(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end() -> None:
        raise SystemExit

    job_id = accept(runner, song)
    during_separation(monkeypatch, end)
    with pytest.raises(SystemExit):
        runner.run(job_id, "worker")

    assert state(runner, job_id) == ("queued", None)
    assert runner.store.outbox.due() == [job_id]


def test_pauses_grow_are_capped_and_scattered() -> None:
    pauses = [[backoff(attempt, base=2.0, cap=30.0) for _ in range(200)] for attempt in (1, 2, 3, 9)]

    for drawn, limit in zip(pauses, (2, 4, 8, 30), strict=True):
        assert 0 <= min(drawn) < limit * 0.2
        assert limit * 0.8 < max(drawn) <= limit


@pytest.mark.long
def test_one_job_decodes_while_another_computes(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    # given a first job that stays in the middle of its separation until a second one waits for the device
    first, second = accept(runner, song), accept(runner, song)
    begun, waiting, computing = threading.Event(), threading.Event(), set[str]()
    report = LeaseKeeper.report

    def watched(self: LeaseKeeper, stage: str, done: int, total: int) -> None:
        report(self, stage, done, total)
        job_id = self._lease.job_id
        if stage == "waiting":
            assert job_id == second
            waiting.set()
        elif stage == "separating":
            computing.add(job_id)
            assert len(computing) == 1
            if job_id == first:
                begun.set()
                assert waiting.wait(60)
            if done == total:
                computing.discard(job_id)

    monkeypatch.setattr(LeaseKeeper, "report", watched)
    other = make(models=Models())
    threads = [threading.Thread(target=each.run, args=(job, "w")) for each, job in ((runner, first), (other, second))]
    threads[0].start()
    assert begun.wait(60)
    threads[1].start()
    for thread in threads:
        thread.join(120)

    assert waiting.is_set()
    assert [state(runner, job_id) for job_id in (first, second)] == [("succeeded", None)] * 2


def test_a_cancel_ends_the_wait_for_the_device(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    job_id = accept(runner, song)
    folder = settings.data_dir / "devices"
    report = LeaseKeeper.report

    def watched(self: LeaseKeeper, stage: str, done: int, total: int) -> None:
        report(self, stage, done, total)
        if stage == "waiting":
            runner.store.cancel(job_id, "by the client")

    monkeypatch.setattr(LeaseKeeper, "report", watched)
    with DeviceTurns(folder, "cpu", 1).turn(Lease("another", 1, "w"), lambda: None):
        runner.run(job_id, "worker")

    assert state(runner, job_id) == ("canceled", None)


def test_a_job_is_not_begun_on_a_full_disk(runner: Runner, song: Path, make: Make) -> None:
    job_id = accept(runner, song, max_attempts=1)
    make(min_free_bytes=1 << 60).run(job_id, "worker")

    assert state(runner, job_id) == ("failed", "scratch_full")


def test_work_that_no_header_told_of_is_refused_after_decoding(runner: Runner, song: Path, make: Make) -> None:
    job_id = accept(
        runner, song, spec_of(stems=("vocals",), bit_depth="16", options=SeparationOptions(shifts=20, overlap=0.9))
    )
    make(job_time_limit_seconds=10).run(job_id, "worker")

    assert state(runner, job_id) == ("failed", "too_much_work")


def quota(runner: Runner, minutes: float) -> str:
    """A key that may send so much in a day."""
    key, _ = new_key("band", frozenset(DEFAULT_SCOPES))
    runner.store.keys.add(replace(key, minutes_per_day=minutes))
    return key.id


@pytest.mark.parametrize(("minutes", "code"), [(0.04, "track_exceeds_quota"), (0.08, "quota_exceeded"), (0.11, None)])
def test_a_track_over_the_quota_ends_its_job_before_it_uses_the_device(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch, minutes: float, code: str | None
) -> None:
    # given two tracks of 3 s whose lengths nobody knew when they were sent
    computed: list[object] = []
    separate = Separator.separate

    def counted(self: Separator, *arguments: Any) -> Any:
        computed.append(arguments)
        return separate(self, *arguments)

    monkeypatch.setattr(Separator, "separate", counted)
    owner, spec = quota(runner, minutes), replace(OPTIONS, envelope=Envelope(cache=False))
    jobs = [accept(runner, song, spec, owner=owner) for _ in range(2)]
    for job_id in jobs:
        runner.run(job_id, "worker")

    ends = [state(runner, job_id)[1] for job_id in jobs]
    assert ends == ([code, code] if code == "track_exceeds_quota" else [None, code])
    assert len(computed) == ends.count(None)


def test_of_a_part_only_the_part_counts(runner: Runner, song: Path) -> None:
    # given a key that may send two seconds a day, and a second of three from the middle of a track
    owner, spec = quota(runner, 2 / 60), spec_of(stems=("vocals",), bit_depth="16", part=Part(start=1.0, end=2.0))
    job_id = accept(runner, song, spec, owner=owner)
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("succeeded", None)
    job = runner.store.get(job_id)
    assert job is not None
    assert (job.source["frames"], job.outputs["vocals"]["frames"]) == (44100, 44100)
    (account,) = runner.store.usage.accounts(0)
    assert account.audio_seconds == 1.0


@pytest.mark.parametrize(
    ("part", "code"), [(Part(start=3.0), "part_outside"), (Part(audio_track=1), "audio_track_missing")]
)
def test_what_the_file_does_not_have_ends_its_job(runner: Runner, song: Path, part: Part, code: str) -> None:
    job_id = accept(runner, song, spec_of(stems=("vocals",), bit_depth="16", part=part))
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("failed", code)


def test_a_fetched_track_is_judged_by_its_bytes_not_by_its_header_or_its_site(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a wav from a pipe, whose site says that it plays for a day
    song = tmp_path / "song.wav"
    song.write_bytes(wav(pcm16(tone(1.0, 44100)), 0xFFFFFFFF))

    def fetched(order: Order, on_progress: object) -> Fetched:
        return Fetched(str(shutil.copy(song, Path(order.folder) / "song.wav")), "song.wav", 86400.0)

    monkeypatch.setattr("workers.attempt.fetch.fetch", fetched)
    changes = {"pool": FETCH, "next_pool": "separate.demo.cpu", "owner": quota(runner, 1.5 / 60)}
    job_id = accept(runner, song, OPTIONS, "https://example.org/song.wav", **changes)
    runner.run(job_id, "fetcher")

    assert state(runner, job_id) == ("queued", None)
    assert runner.store.get(job_id).cost < 10  # type: ignore[union-attr]


def test_a_fetched_track_over_the_quota_ends_its_job_at_once(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(order: Order, on_progress: object) -> Fetched:
        return Fetched(str(shutil.copy(song, Path(order.folder) / "song.flac")), "song.flac", 3.0)

    monkeypatch.setattr("workers.attempt.fetch.fetch", fetched)
    url, changes = "https://example.org/song.flac", {"pool": FETCH, "next_pool": "separate.demo.cpu"}
    jobs = [accept(runner, song, OPTIONS, url, owner=owner, **changes) for owner in [quota(runner, 0.08)] * 2]
    for job_id in jobs:
        runner.run(job_id, "fetcher")

    assert [state(runner, job_id) for job_id in jobs] == [("queued", None), ("failed", "quota_exceeded")]
    assert [key for key in runner.storage.keys("") if jobs[1] in key] == []


def test_a_job_that_is_canceled_half_way_has_used_half_of_its_track(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = quota(runner, 0.1)  # 6 s
    job_id = accept(runner, song, owner=owner)

    def separate(
        self: object, mixture: object, stems: object, options: object, on_segment: Callable[[int, int], None]
    ) -> Iterator[dict[str, np.ndarray]]:
        on_segment(1, 2)
        runner.store.cancel(job_id, "by the client")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:  # until the lease's keeper has noticed
            threading.Event().wait(0.01)
            on_segment(1, 2)
        yield {}

    monkeypatch.setattr(Separator, "separate", separate)
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("canceled", None)
    job = job_of(new_job_id(), JobState.QUEUED, OPTIONS, "separate.demo.cpu", "key", "a", owner=owner)
    bounds = Bounds(100, 100, 6.0)
    with pytest.raises(TransientError) as caught:
        runner.store.intake.put(job, "accepted", bounds, seconds=4.6)
    assert caught.value.code == "quota_exceeded"
    assert runner.store.intake.put(job, "accepted", bounds, seconds=4.4)


def test_a_job_that_computes_for_too_long_fails(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    job_id = accept(runner, song)
    monkeypatch.setattr(limits, "LEAST_LIMIT_SECONDS", 0.01)

    def wait() -> None:
        threading.Event().wait(1)

    during_separation(monkeypatch, wait)
    make(time_limit_slack=1.0).run(job_id, "worker")

    assert state(runner, job_id) == ("failed", "time_limit")


def test_a_job_that_is_too_old_is_not_tried_again(runner: Runner, song: Path, make: Make) -> None:
    job_id = accept(runner, song)
    assert isinstance(runner.storage, Moody)
    runner.storage.failing = 100
    make(retry_age_seconds=-1).run(job_id, "worker")

    assert state(runner, job_id) == ("failed", "storage_unavailable")


def test_the_attempt_that_commits_erases_what_a_killed_one_left(runner: Runner, song: Path) -> None:
    job_id = accept(runner, song)
    taken = runner.store.leases.take(job_id, "killed", -1)
    assert taken is not None
    with song.open("rb") as file:
        runner.storage.put(f"{taken[1].prefix}/vocals.flac", file, "audio/flac")
    runner.store.leases.reap()
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("succeeded", None)
    assert stored(runner, job_id) == ["attempt-2/manifest.json", "attempt-2/vocals.flac"]


def test_without_memory_on_its_accelerator_a_job_goes_on_on_a_cpu(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise DeviceOutOfMemory("the device has no memory for a single segment")

    monkeypatch.setattr("workers.kinds.separate.work.separate_file", full)
    pools = (single("demo", "cuda"), single("demo", "cpu"))
    lowering = make(fallback_to_cpu=True, pools=pools)
    wish = spec_of("demo", "cuda", ("vocals",), bit_depth="16")
    left, asked = (accept(runner, song, options, pool="separate.demo.cuda") for options in (OPTIONS, wish))
    for job_id in (left, asked):
        lowering.run(job_id, "worker")

    view = runner.store.view(left)
    assert view is not None
    assert (view.job.pool, view.job.state, view.job.max_attempts) == ("separate.demo.cpu", JobState.QUEUED, 4)
    assert "on the CPU instead" in view.timeline[-1].why
    stayed = runner.store.get(asked)
    assert stayed is not None
    assert stayed.pool == "separate.demo.cuda"  # it asked for that device
    assert runner.store.waiting() == {"separate.demo.cpu": {1: 1}, "separate.demo.cuda": {1: 1}}


def test_a_pool_s_precision_is_that_of_jobs_that_leave_it_open(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    seen = []

    def look(
        source: Path, folder: Path, params: SeparateParams, encoding: Any, entry: Any, device: str, *_: Any, **__: Any
    ) -> None:
        seen.append((params.separation.precision, device))
        raise NotAudio("enough seen")

    monkeypatch.setattr("workers.kinds.separate.work.separate_file", look)
    pool = Pool(name="gpu", models=("demo",), device="cuda:1", precision="mixed")
    exact = spec_of(stems=("vocals",), options=SeparationOptions(precision="fp32"))
    for options in (OPTIONS, exact):
        make(pools=(pool,)).run(accept(runner, song, options, pool="gpu"), "worker")

    assert seen == [("mixed", "cuda:1"), ("fp32", "cuda:1")]


def test_a_kind_that_this_worker_lacks_goes_back_and_costs_no_attempt(runner: Runner, song: Path) -> None:
    job_id = accept(runner, song, replace(OPTIONS, kind="elsewhere"))
    runner.run(job_id, "worker")

    assert state(runner, job_id) == ("queued", None)
    view = runner.store.view(job_id)
    assert view is not None
    assert "kind_missing" in view.timeline[-1].why
    assert view.job.max_attempts == view.job.attempt + 3
    assert runner.store.outbox.due() == []  # it pauses before it is published again


def test_a_fetcher_that_lacks_the_kind_fetches_its_track_all_the_same(
    runner: Runner, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(order: Order, on_progress: object) -> Fetched:
        return Fetched(str(shutil.copy(song, Path(order.folder) / "song.flac")), "song.flac", 3.0)

    monkeypatch.setattr("workers.attempt.fetch.fetch", fetched)
    spec = replace(OPTIONS, kind="elsewhere")
    job_id = accept(runner, song, spec, "https://example.org/song.flac", pool=FETCH, next_pool="elsewhere.cpu")
    runner.run(job_id, "fetcher")

    job = runner.store.get(job_id)
    assert job is not None
    assert (job.state, job.pool, job.inputs[0].name) == (JobState.QUEUED, "elsewhere.cpu", "song.flac")
