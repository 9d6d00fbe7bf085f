"""Which of the files that a workflow's jobs made are its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stemsvc.jobs.record import Job


def step_of(job: Job) -> str:
    """The id of a job's step: a step that is done several times has one job for each."""
    return (job.step or "").partition("[")[0]


def wanted_of(jobs: Sequence[Job], wanted: Sequence[str]) -> Iterator[tuple[Job, str]]:
    """The outputs that the client wants: each job with the name of one of its files.

    `wanted` names steps or jobs, or `step.output`. Where it names nothing, all files of the last steps are wanted.
    """
    used = {each.from_job for job in jobs for each in job.inputs if each.from_job}
    for job in jobs:
        own = {step_of(job), job.step or ""}
        for name in job.outputs:
            named = own | {f"{each}.{name}" for each in own}
            if (named & set(wanted)) if wanted else job.id not in used:
                yield job, name
