"""Lets any number of streams follow all jobs of an owner: two queries serve them all, once a second and at changes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stemsvc.errors import StemsvcError
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.feed import Place
from stemsvc.jobstore.snapshots import Snapshot
from stemsvc.observe.loggers import get_logger
from stemsvc.queue.changes import Changes, Listener

log = get_logger()
LOOK_SECONDS = 1.0  # the most that a lost message delays a change
PAUSE_SECONDS = 0.1  # the least time between two looks, however many jobs change
SHARE = 4  # a look that takes long is followed by a pause of so many times its length


@dataclass(frozen=True)
class News:
    """What a look found: the owner's queued and running jobs, and whether a timeline has more entries than before."""

    moved: bool
    live: Mapping[str, Snapshot]


@dataclass(eq=False)
class FeedFollower:
    """One stream that waits for changes of its owner's jobs; an owner of None stands for everybody."""

    owner: str | None
    _changed: threading.Event = field(default_factory=threading.Event)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _moved: bool = False
    _live: Mapping[str, Snapshot] | None = None  # None: nobody has looked yet
    _closed: bool = False

    @property
    def fresh(self) -> bool:
        """Whether nobody has looked for it yet."""
        return self._live is None

    def wait(self, seconds: float) -> News | None:
        """The news since the last call; None after `seconds` without any.

        Raises `LookupError` where this process is about to end.
        """
        if not self._changed.wait(seconds):
            return None
        with self._guard:
            self._changed.clear()
            if self._closed:
                raise LookupError
            moved, self._moved = self._moved, False
            return News(moved, self._live or {})

    def look(self, moved: bool, live: Mapping[str, Snapshot]) -> None:
        """Take what a look found. The first one always counts as a move: something may have come before it."""
        with self._guard:
            moved = moved or self._live is None
            if moved or live != self._live:
                self._moved, self._live = self._moved or moved, live
                self._changed.set()

    def close(self) -> None:
        """Wake the waiting thread for the last time."""
        with self._guard:
            self._closed = True
            self._changed.set()


class Feeds:
    """Looks at the jobs of followed owners: when a change is published, and once a second."""

    def __init__(self, store: JobStore, changes: Changes) -> None:
        self._store = store
        self._changes = changes
        self._followers: set[FeedFollower] = set()
        self._place: Place | None = None
        self._needed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextlib.contextmanager
    def follow(self, owner: str | None) -> Iterator[FeedFollower]:
        """Follow an owner's jobs. The first news come within about a second."""
        follower = FeedFollower(owner)
        with self._needed:
            self._followers.add(follower)
            if self._closed:
                follower.close()
            elif self._thread is None:
                self._thread = threading.Thread(target=self._run, name="feeds", daemon=True)
                self._thread.start()
            self._needed.notify()
        try:
            yield follower
        finally:
            with self._needed:
                self._followers.discard(follower)

    @property
    def count(self) -> int:
        """How many streams follow an owner."""
        with self._needed:
            return len(self._followers)

    def close(self) -> None:
        """End the thread and wake every follower: clients come back to another process."""
        with self._needed:
            self._closed = True
            self._needed.notify()
            thread = self._thread
            for follower in self._followers:
                follower.close()
        if thread:
            thread.join()

    def _run(self) -> None:
        listener = self._changes.listen()
        while self._wanted():
            began = time.monotonic()
            try:
                self._look()
            except StemsvcError as error:  # followers get the changes when the store is back
                log.warning("can't look for changes of jobs", code=error.code, detail=error.detail)
            except Exception:
                log.exception("can't look for changes of jobs")
            self._rest(listener, time.monotonic() - began)
        listener.close()

    def _wanted(self) -> bool:
        """Wait for a follower; False once it is closed."""
        with self._needed:
            while not self._followers and not self._closed:
                self._place = None
                self._needed.wait()
            return not self._closed

    def _rest(self, listener: Listener, took: float) -> None:
        """Wait for a change, or until the next look is due."""
        with self._needed:
            if not self._closed:
                self._needed.wait(max(PAUSE_SECONDS, SHARE * took))
            waiting = self._closed or any(each.fresh for each in self._followers)
        if not waiting:
            listener.wait(LOOK_SECONDS)

    def _look(self) -> None:
        with self._needed:
            followers = list(self._followers)
        owners = None if any(each.owner is None for each in followers) else {str(each.owner) for each in followers}
        feed = self._store.feed
        moved, self._place = feed.moved(self._place or feed.now(), owners)
        live = feed.live(owners)
        everyone = {job_id: each for jobs in live.values() for job_id, each in jobs.items()}
        for follower in followers:
            if follower.owner is None:
                follower.look(bool(moved), everyone)
            else:
                follower.look(follower.owner in moved, live.get(follower.owner, {}))
