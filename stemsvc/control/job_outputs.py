"""Jobs' outputs as other jobs' inputs: found by job and name, and copied within the storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stemsvc.errors import (
    JobNotFound,
    ObjectMissing,
    SourceExpired,
    SourceFailed,
    SourceNotReady,
)
from stemsvc.jobs.filenames import output_filename
from stemsvc.jobs.outputs import chosen
from stemsvc.jobs.probe import Length, track_length
from stemsvc.jobs.record import Job, JobState
from stemsvc.jobstore import JobStore
from stemsvc.storage import Storage


@dataclass(frozen=True)
class JobOutput:
    """A `stemsvc.control.sources.Source`: the output `from_output` of the job `from_job`, whose bytes lie at `key`."""

    from_job: str
    from_output: str
    key: str
    name: str
    bytes: int
    role: str = "source"
    url: str = ""
    upload_id: str = ""

    def fingerprint(self) -> str:
        """See `Source`."""
        return f"output {self.from_output} of {self.from_job}"

    def length(self, storage: Storage) -> Length | None:
        """See `Source`: its header is read where it lies."""
        try:
            with storage.open(self.key) as file:
                return track_length(file)
        except ObjectMissing:  # `place` says so
            return None

    def size(self, storage: Storage) -> int:
        """See `Source`."""
        return self.bytes

    def place(self, storage: Storage, key: str) -> int:
        """See `Source`. The copy is the new job's own: what becomes of the output later does it no harm.

        Raises `UsageError` `source_expired`.
        """
        try:
            storage.copy(self.key, key)
        except ObjectMissing as error:
            raise SourceExpired(f"the output {self.from_output} of job {self.from_job} was erased just now") from error
        return storage.size(key) or 0


class JobOutputs:
    """Finds what jobs made, for those who may see them. None as caller sees everybody's."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def find(self, job_id: str, output: str | None, caller: str | None, role: str, several: bool) -> list[JobOutput]:
        """The output of that name; without a name the job's only audio file, or all of them where `several` may come.

        Raises `UsageError` `job_not_found`, `source_not_ready`, `source_failed`, `source_expired`, `unknown_output`.
        """
        job = self._job(job_id, caller)
        return [_output(job, name, role) for name in chosen(job, output, several=several)]

    def names(self, job_id: str, caller: str | None) -> Sequence[str]:
        """The outputs that `find` gives for a whole job. Raises what it raises."""
        return [each.from_output for each in self.find(job_id, None, caller, "", several=True)]

    def _job(self, job_id: str, caller: str | None) -> Job:
        job = self._store.get(job_id) if job_id.isalnum() else None
        if job is None or caller not in (None, job.owner):
            raise JobNotFound("no such job")
        if not job.finished:
            raise SourceNotReady(f"job {job_id} is {job.state}: its outputs are there when it has succeeded")
        if job.state is JobState.EXPIRED:
            raise SourceExpired(f"the outputs of job {job_id} have expired")
        if job.state is not JobState.SUCCEEDED:
            raise SourceFailed(f"job {job_id} has no outputs: it is {job.state}")
        return job


def _output(job: Job, name: str, role: str) -> JobOutput:
    stored = job.outputs[name]
    return JobOutput(job.id, name, stored["key"], output_filename(job, name), int(stored.get("bytes") or 0), role)
