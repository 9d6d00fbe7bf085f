"""Figures of whole jobs on a CPU: what store, storage, decoding, encoding and uploading add to the separation."""

from __future__ import annotations

import logging
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.record import Job, JobState, input_key, new_job_id
from stemsvc.jobs.spec import Input
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from stemsvc.kinds.separate.kind import SeparateParams, separation
from stemsvc.models.catalog import Catalog, load_catalog
from stemsvc.models.entry import ModelEntry
from stemsvc.settings import Settings
from stemsvc.storage.local import LocalStorage
from workers.attempt.runner import Runner
from workers.audio.encode import encode
from workers.bench.engine import RATE, SIZES, STEMS, Size, bag, music, network
from workers.bench.table import Figure, Say, in_turn
from workers.engine.mixture import ArrayMixture
from workers.engine.separate import Separator
from workers.host.models import Models

MODEL = "random"
FLAC = Encoding("flac", "16")
SHORT_SECONDS = 3.0
SHORT_JOBS = {"full": 100, "small": 10}
WORKERS = 2  # pool processes: while one computes, the other decodes and uploads
LONGEST_SECONDS = 3600.0  # that the short jobs may take together


class Loaded(Models):
    """Holds one loaded model, and returns it for every entry of the catalog."""

    def __init__(self, separator: Separator) -> None:
        super().__init__()
        self._separator = separator

    def get(self, *key: Any) -> Separator:
        """The one model, whatever `key` is."""
        return self._separator


def entry_of(size: Size) -> ModelEntry:
    """The random network's entry of the catalog."""
    demo = load_catalog().get("demo")
    return demo.model_copy(update={"name": MODEL, "segment_seconds": float(size.segment)})


class Jobs:
    """A job store and a storage in `folder`, and what one process needs to run jobs of one song there."""

    def __init__(self, folder: Path, size: Size, separator: Separator, mixture: Any) -> None:
        # stdout is for the table
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        settings = Settings(data_dir=folder, result_cache=False)
        migrate(settings.resolved_database_url)
        self.store = JobStore(settings.resolved_database_url)
        self._storage = LocalStorage(folder / "objects", b"bench")
        self._runner = Runner.of(
            settings, Catalog({MODEL: entry_of(size)}), self.store, self._storage, Loaded(separator)
        )
        self._song = folder / "song.flac"
        if not self._song.exists():
            encode(mixture, RATE, self._song, "flac", "16")

    def put(self) -> str:
        """Store a job; returns its id."""
        spec, key = separation(SeparateParams(MODEL, STEMS), encoding=FLAC), new_job_id()
        track = Input(self._song.name, input_key(key), self._song.stat().st_size)
        with self._song.open("rb") as file:
            self._storage.put(track.key, file, "audio/flac")
        self.store.intake.put(Job(key, JobState.QUEUED, spec, f"separate.{MODEL}.cpu", (track,)), "bench")
        return key

    def run(self, key: str, worker: str = "bench") -> None:
        """Run a job to its end."""
        self._runner.run(key, worker)
        done = self.store.get(key)
        assert done is not None and done.state is JobState.SUCCEEDED, done  # noqa: PT018 - a bench has no pytest


def job_figures(size: Size, seconds: float, repeats: int, cache: Path | None, say: Say) -> Iterator[Figure]:
    """Time of a whole job against its separation alone."""
    took = _compared(size, seconds, repeats, cache, say)
    detail = f"{took['job']:.1f} s of which {took['separation']:.1f} s separation"
    yield Figure("job wall time / separation alone", detail, took["job"] / took["separation"], bar=1.10, aim=1.03)


def short_figures(size: str, repeats: int, cache: Path | None, say: Say) -> Iterator[Figure]:
    """What a short job takes more than its separation, and how fast many of them drain on two workers."""
    took = _compared(SIZES[size], SHORT_SECONDS, repeats, cache, say)
    more, alone = took["job"] - took["separation"], took["separation"].best
    detail = f"{took['job']:.2f} s of which {took['separation']:.2f} s separation"
    yield Figure(f"job of {SHORT_SECONDS:g} s: time beside the separation", detail, more, " s", bar=0.3, aim=0.2)
    count = SHORT_JOBS[size]
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as name:
        folder = Path(name)
        jobs = Jobs(folder, SIZES[size], Separator(bag(network(SIZES[size])), cache=cache), music(SHORT_SECONDS))
        keys = [jobs.put() for _ in range(count)]
        jobs.store.close()
        say(f"{count} jobs of {SHORT_SECONDS:g} s on {WORKERS} workers")
        seconds = _drained(folder, size, cache, keys)
    share = alone * count / seconds
    detail = f"{count} jobs in {seconds:.1f} s; the separation alone takes {alone * count:.1f} s, by its best run"
    yield Figure(f"jobs of {SHORT_SECONDS:g} s: share of the engine's rate", detail, share, bar=0.9, floor=True)


def _compared(size: Size, seconds: float, repeats: int, cache: Path | None, say: Say) -> Any:
    separator, mixture = Separator(bag(network(size)), cache=cache), music(seconds)

    def pure() -> None:
        for _ in separator.separate(ArrayMixture(mixture), STEMS):
            pass

    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as name:
        jobs = Jobs(Path(name), size, separator, mixture)
        say(f"a job of {seconds:g} s, and its separation alone")
        took = in_turn(repeats, say, job=lambda: jobs.run(jobs.put()), separation=pure)
        jobs.store.close()
    return took


def _drained(folder: Path, size: str, cache: Path | None, keys: Sequence[str]) -> float:
    """Seconds in which `WORKERS` processes with loaded networks end these jobs."""
    own = multiprocessing.get_context("spawn")
    ready, waiting = own.Barrier(WORKERS + 1), own.Queue()
    for key in (*keys, *[None] * WORKERS):
        waiting.put(key)
    workers = [
        own.Process(target=_work, args=(folder, size, cache, ready, waiting, f"bench-{number}"))
        for number in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    try:
        ready.wait(LONGEST_SECONDS)
        start = time.perf_counter()
        for worker in workers:
            worker.join(LONGEST_SECONDS)
        if any(worker.exitcode for worker in workers):
            raise RuntimeError("a worker of the bench failed; see its traceback above")
        return time.perf_counter() - start
    finally:
        for worker in workers:
            worker.kill()


def _work(folder: Path, size: str, cache: Path | None, ready: Any, waiting: Any, name: str) -> None:
    """In a worker's process: load the network, run a job to be warm, then run jobs until none waits."""
    separator = Separator(bag(network(SIZES[size])), cache=cache)
    jobs = Jobs(folder, SIZES[size], separator, None)
    jobs.run(jobs.put(), name)
    ready.wait(LONGEST_SECONDS)
    for key in iter(waiting.get, None):
        jobs.run(key, name)
