"""Expires stems and rows after their time, and removes objects and drafts that nothing refers to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

from stemsvc.jobs.record import LIVE, Job
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.uploads import Upload
from stemsvc.observe.loggers import get_logger
from stemsvc.storage import Storage
from stemsvc.storage.parts import part_number

log = get_logger()
JOBS, UPLOADS = "jobs/", "uploads/"  # what all our keys start with


@dataclass
class Janitor:
    """Expires stems, deletes old rows, removes orphaned objects. Any number of processes may do so at once.

    `stems_ttl`, `rows_ttl`, `usage_ttl`, `audit_ttl` and `conversations_ttl` are in seconds, 0 for ever, and a key's
    own retention comes before `stems_ttl`; `keys_ttl` is of idempotency keys, in seconds.
    `retry_ttl` is how long jobs that failed or were canceled keep their inputs, in seconds, 0 for not at all.
    An object that its job's row does not use is removed at once: a worker that was killed had stored it. An object
    of a job without a row is removed after `suspect_seconds`, because a file is stored before its row is made. An
    upload's row is made first: an object without one is removed at once.
    """

    store: JobStore
    storage: Storage
    stems_ttl: float
    rows_ttl: float
    keys_ttl: float = 86400.0
    usage_ttl: float = 0.0
    retry_ttl: float = 86400.0
    audit_ttl: float = 0.0
    conversations_ttl: float = 0.0
    suspect_seconds: float = 3600.0
    clock: Callable[[], float] = time.monotonic
    _suspects: dict[str, float] = field(default_factory=dict)  # key -> when it was first seen without a row

    def sweep(self) -> None:
        """Run each task once. Raises the store's and the storage's `TransientError`."""
        for job_id in self.store.expire(self.stems_ttl or None):
            log.info("stems expired", job_id=job_id)
        for job_id in self.store.release(min(self.retry_ttl, self.rows_ttl or self.retry_ttl)):
            self.storage.delete(f"jobs/{job_id}/")
            log.info("inputs kept for a retry erased", job_id=job_id)
        if self.rows_ttl and (count := self.store.forget(self.rows_ttl)):
            log.info("old jobs deleted", jobs=count)
        if self.rows_ttl:
            self.store.workflows.forget(self.rows_ttl)
        self.store.intake.forget_keys(self.keys_ttl)
        self.store.sessions.forget()
        self.store.tidy()
        if self.usage_ttl:
            self.store.usage.forget(self.usage_ttl)
            self.store.chat_spending.forget(self.usage_ttl)
        if self.audit_ttl:
            self.store.audit.forget(self.audit_ttl)
        if self.conversations_ttl and (count := self.store.conversations.forget(self.conversations_ttl)):
            log.info("old conversations erased", conversations=count)
        self.store.processes.forget()
        for upload in self.store.uploads.expired():
            self.storage.delete(f"uploads/{upload.id}/")
            self.store.uploads.delete(upload.id)
            log.info("upload expired", upload_id=upload.id)
        self._remove_orphans()
        self._remove_uploads()
        if count := self.storage.clear_drafts((JOBS, UPLOADS)):
            log.info("drafts of dead writers removed", drafts=count)

    def _remove_orphans(self) -> None:
        now = self.clock()
        suspects: dict[str, float] = {}
        for job_id, keys in groupby(self.storage.keys(JOBS), lambda key: key.split("/")[1]):
            job = self.store.get(job_id)  # after the listing: the row will never use what it does not use now
            for key in keys:
                if job is None:
                    suspects[key] = self._suspects.get(key, now)
                elif not _is_used(key, job):
                    self._remove(key)
        for key, since in list(suspects.items()):
            if now - since >= self.suspect_seconds:
                self._remove(key)
                del suspects[key]
        self._suspects = suspects

    def _remove_uploads(self) -> None:
        """Remove what clients sent that they may not send: an S3 storage can't refuse it."""
        for key, size in self.storage.sizes(UPLOADS).items():
            upload = self.store.uploads.find(key.split("/")[1])  # after the listing
            if upload is None or not _is_of(key, upload) or size > upload.max_bytes:
                self._remove(key)

    def _remove(self, key: str) -> None:
        self.storage.delete(key)
        log.info("orphan removed", key=key)


def _is_of(key: str, upload: Upload) -> bool:
    """Whether a client may have sent this object to the upload."""
    return key == upload.key or (upload.part_bytes > 0 and part_number(upload.key, key) is not None)


def _is_used(key: str, job: Job) -> bool:
    if job.state in LIVE:
        return any(key == each.key for each in job.inputs) or key.startswith(f"jobs/{job.id}/attempt-{job.attempt}/")
    if job.stored_bytes and any(key == each.key for each in job.kept_inputs):
        return True
    return key == job.manifest_key or any(
        each["key"] == key for each in (*job.outputs.values(), *job.previews.values())
    )
