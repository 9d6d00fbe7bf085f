"""Who is notified of a job's moves once they are committed: followers, the metrics, the storage."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from stemsvc.accounts.cipher import open_cipher
from stemsvc.errors import StemsvcError
from stemsvc.jobs.record import WITHOUT_FILES, Job, JobState
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.transition import Moved
from stemsvc.observe import metrics
from stemsvc.queue.changes import Changes
from stemsvc.settings import Settings
from stemsvc.storage import Storage


def open_store(settings: Settings, storage: Storage, changes: Changes) -> JobStore:
    """The job store of a process that moves jobs.

    Each move is published to followers. Each end is counted, and the objects that the job no longer uses are erased.
    """
    subscribers = (Followers(changes), count_end, Eraser(storage, settings.retry_ttl_seconds > 0))
    return JobStore(
        settings.resolved_database_url,
        subscribers,
        changes.publish,
        settings.publish_ahead,
        settings.max_stored_bytes_per_key,
        open_cipher(settings),
        lambda: settings.fresh().resolved_database_url,
    )


@dataclass(frozen=True)
class Followers:
    """Publishes a change to the requests that follow the job."""

    changes: Changes

    def __call__(self, moved: Moved) -> None:
        """Publish the change, except that a job was accepted: nobody follows it yet."""
        if moved.old is not None:
            self.changes.publish(moved.job.id)


def count_end(moved: Moved) -> None:
    """Count a job that ended, by its kind, model, state and error code."""
    if moved.ended:
        metrics.job_ended(moved.job.kind, moved.job.spec.model, str(moved.job.state), moved.job.error_code or "")


@dataclass(frozen=True)
class Eraser:
    """Erases what a job's row no longer uses. The janitor removes as an orphan what can't be erased now.

    A worker may store something after this. It erases that itself when it sees that the job is no longer its own.
    With `for_retries`, a job that can be tried again keeps its inputs until the janitor erases them.
    """

    storage: Storage
    for_retries: bool = False

    def __call__(self, moved: Moved) -> None:
        """Erase all of a job that has no files at its end; of others the inputs, and what lost attempts stored."""
        job = moved.job
        if job.state is JobState.SUCCEEDED:
            for each in job.inputs:
                if each.key.startswith(f"jobs/{job.id}/"):  # not another job's output
                    self._erase(each.key)
            self._erase_attempts(job, job.attempt)
        elif self.for_retries and job.kept_inputs:
            self._erase_attempts(job, job.attempt + 1)
        elif job.state in WITHOUT_FILES:
            self._erase(f"jobs/{job.id}/")

    def _erase_attempts(self, job: Job, end: int) -> None:
        for attempt in range(1, end):  # a worker that was killed has erased nothing
            self._erase(f"jobs/{job.id}/attempt-{attempt}/")

    def _erase(self, prefix: str) -> None:
        with contextlib.suppress(StemsvcError):
            self.storage.delete(prefix)
