"""Lets any number of requests wait for changes of jobs: one query of the rows serves them all."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from stemsvc.errors import StemsvcError
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.snapshots import Snapshot
from stemsvc.observe.loggers import get_logger
from stemsvc.queue.changes import Changes

log = get_logger()
LOOK_SECONDS = 1.0  # between two queries of all followed rows: the most that a lost message delays a change


class Follower:
    """One request that waits for changes of a job."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self._changed = threading.Event()
        self._latest: Snapshot | None = None
        self._gone = False

    def wait(self, seconds: float) -> Snapshot | None:
        """The job's snapshot once it has changed; None after `seconds` without a change.

        Raises `LookupError` where the job was deleted or this process is about to end.
        """
        if not self._changed.wait(seconds):
            return None
        self._changed.clear()
        if self._gone:
            raise LookupError(self.job_id)
        return self._latest

    def show(self, snapshot: Snapshot | None) -> None:
        """Wake the waiting thread with this snapshot; None: the job is gone."""
        self._gone = snapshot is None
        self._latest = snapshot or self._latest
        self._changed.set()


class Watch:
    """Queries the rows of followed jobs: of those whose changes are published, and of all once a second."""

    def __init__(self, store: JobStore, changes: Changes) -> None:
        self._store = store
        self._changes = changes
        self._followers: dict[str, set[Follower]] = {}
        self._seen: dict[str, Snapshot] = {}
        self._guard = threading.Lock()
        self._needed = threading.Condition(self._guard)
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextlib.contextmanager
    def follow(self, job_id: str) -> Iterator[Follower]:
        """Follow a job. The caller must read for itself what happened before the first query."""
        follower = Follower(job_id)
        with self._guard:
            self._followers.setdefault(job_id, set()).add(follower)
            if self._closed:
                follower.show(None)
            elif self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()
            self._needed.notify()
        try:
            yield follower
        finally:
            with self._guard:
                self._followers[job_id].discard(follower)
                if not self._followers[job_id]:
                    del self._followers[job_id]
                    self._seen.pop(job_id, None)

    @property
    def count(self) -> int:
        """How many requests follow a job."""
        with self._guard:
            return sum(map(len, self._followers.values()))

    def close(self) -> None:
        """End the thread and wake every follower: clients come back to another process."""
        with self._guard:
            self._closed = True
            self._needed.notify()
            thread = self._thread
            for follower in [each for followers in self._followers.values() for each in followers]:
                follower.show(None)
        if thread:
            thread.join()

    def _run(self) -> None:
        listener, look_at = self._changes.listen(), 0.0
        while True:
            with self._guard:
                while not self._followers and not self._closed:
                    self._needed.wait()
                if self._closed:
                    break
            changed = listener.wait(min(LOOK_SECONDS, max(0.0, look_at - time.monotonic())))
            everyone = time.monotonic() >= look_at
            if everyone:
                look_at = time.monotonic() + LOOK_SECONDS
            with self._guard:
                wanted = list(self._followers) if everyone else [each for each in changed if each in self._followers]
            try:
                self._look(wanted)
            except StemsvcError as error:  # followers get the changes when the store is back
                log.warning("can't query followed jobs", code=error.code, detail=error.detail)
            except Exception:
                log.exception("can't query followed jobs")
        listener.close()

    def _look(self, wanted: list[str]) -> None:
        if not wanted:
            return
        found = self._store.snapshots(wanted)
        with self._guard:
            for job_id in wanted:
                snapshot = found.get(job_id)
                if snapshot is None or snapshot != self._seen.get(job_id):
                    for follower in self._followers.get(job_id, ()):
                        follower.show(snapshot)
                if snapshot is not None and job_id in self._followers:
                    self._seen[job_id] = snapshot
