"""Who hears of a job's moves once they are committed: followers, the figures, the storage."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from stemsvc.errors import StemsvcError
from stemsvc.jobs.record import JobState
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.transition import Moved
from stemsvc.observe import metrics
from stemsvc.queue.changes import Changes
from stemsvc.settings import Settings
from stemsvc.storage import Storage


def open_store(settings: Settings, storage: Storage, changes: Changes) -> JobStore:
    """The job store of a process that moves jobs: whoever ends one, it is told of, counted and erased."""
    subscribers = (Followers(changes), count_end, Eraser(storage))
    return JobStore(settings.resolved_database_url, subscribers, changes.publish, settings.publish_ahead)


@dataclass(frozen=True)
class Followers:
    """Tells those who wait for changes of a job."""

    changes: Changes

    def __call__(self, moved: Moved) -> None:
        """Nobody follows a job before it is accepted."""
        if moved.old is not None:
            self.changes.publish(moved.job.id)


def count_end(moved: Moved) -> None:
    """Count a job that ended, by what became of it."""
    if moved.ended:
        metrics.job_ended(moved.job.kind, moved.job.spec.model, str(moved.job.state), moved.job.error_code or "")


@dataclass(frozen=True)
class Eraser:
    """Erases what a job's row has no use for any more. What can't be erased now is an orphan, which the janitor finds.

    What a worker stores after this, it erases itself when it sees that the job is not its own any more.
    """

    storage: Storage

    def __call__(self, moved: Moved) -> None:
        """All of a job that ended without files; else its inputs, and what its lost attempts stored."""
        job = moved.job
        if job.state in (JobState.FAILED, JobState.CANCELED, JobState.EXPIRED):
            self._erase(f"jobs/{job.id}/")
        elif job.state is JobState.SUCCEEDED:
            for each in job.inputs:
                self._erase(each.key)
            for attempt in range(1, job.attempt):  # a worker that was killed has erased nothing
                self._erase(f"jobs/{job.id}/attempt-{attempt}/")

    def _erase(self, prefix: str) -> None:
        with contextlib.suppress(StemsvcError):
            self.storage.delete(prefix)
