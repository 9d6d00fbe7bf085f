"""Does a planned workflow's jobs in this process, one after another, by the code with which workers do them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stemsvc.errors import StemsvcError, UnknownOutput, UpstreamFailed
from stemsvc.jobs.filenames import clean_filename
from stemsvc.jobs.outputs import handed_on
from stemsvc.jobs.record import Job, JobState
from stemsvc.jobs.spec import Input
from stemsvc.jobs.warnings import DEMO_MODEL, JobWarning
from stemsvc.kinds import registry
from stemsvc.kinds.cache_key import cache_key
from stemsvc.models.catalog import Catalog
from stemsvc.settings import Settings
from stemsvc.workflows.plan import PlannedJob, Wanted
from workers.attempt.settle import settle_here
from workers.audio.decode import Limits
from workers.host.models import Models
from workers.kinds.base import LocalInput
from workers.kinds.local import LocalAttempt, do_work
from workers.workflows.kept import Kept, KeptJob

# Gets a job's number, its state, its stage, and how far it is: 0 to 1.
Show = Callable[[int, str, str, float], None]
NO_POOL = "here"  # of jobs that no service has


@dataclass(frozen=True)
class _Attempt(LocalAttempt):
    """An attempt that shares the networks in memory with those before it."""

    networks: Models | None = None

    @property
    def models(self) -> Models:
        """See the protocol."""
        assert self.networks is not None
        return self.networks


@dataclass(frozen=True)
class LocalEnd:
    """The jobs of a run. `excused` are the numbers of those whose failure does not count."""

    jobs: list[Job]
    excused: set[int]

    @property
    def failed(self) -> bool:
        """Whether a job failed whose failure counts."""
        return any(job.state is JobState.FAILED and number not in self.excused for number, job in enumerate(self.jobs))


class LocalRun:
    """One run of a workflow. `kept` has what is done of it."""

    def __init__(self, kept: Kept, catalog: Catalog, settings: Settings, device: str, show: Show) -> None:
        self._kept = kept
        self._catalog = catalog
        self._settings = settings
        self._device = device
        self._show = show
        self._models = Models.of(settings)

    def run(self, planned: Sequence[PlannedJob], songs: Sequence[Path]) -> LocalEnd:
        """The jobs, each in its end state, in the order of the plan.

        A job that fails fails those that need it; the others are done all the same.
        """
        sources = [Input(clean_filename(path.name), str(path), sha256=_digest(path)) for path in songs]
        end = LocalEnd([], set())
        for number, each in enumerate(planned):
            job = self._started(number, each, sources, end)
            end.jobs.append(job if job.finished else self._done(number, job))
            if end.jobs[-1].state is JobState.FAILED and each.step.tolerated:
                end.excused.add(number)
            self._show(number, str(end.jobs[-1].state), end.jobs[-1].stage, 1.0)
        return end

    def _started(self, number: int, planned: PlannedJob, sources: Sequence[Input], end: LocalEnd) -> Job:
        """The job with its inputs, as a service would have it; failed where one of them will never come."""
        job = Job(planned.name, JobState.RUNNING, planned.spec, NO_POOL, step=planned.name)
        inputs: list[Input] = []
        missing: list[Wanted] = []
        for each in planned.inputs:
            if each.job is None:
                inputs.append(replace(sources[each.source or 0], role=each.role))
            elif end.jobs[each.job].state is JobState.SUCCEEDED:
                try:
                    inputs += _handed_on(end.jobs[each.job], each)
                except UnknownOutput as error:
                    return _failed(job, error.code, f"step {end.jobs[each.job].id}: {error.detail}")
            else:
                missing.append(each)
        for each in missing:
            before = end.jobs[each.job or 0]
            excused = each.job in end.excused
            if not excused or not each.several or not any(other.role == each.role for other in inputs):
                if excused:
                    end.excused.add(number)
                return _failed(job, UpstreamFailed.code, f"step {before.id} failed with {before.error_code}")
        return replace(job, inputs=tuple(inputs))

    def _done(self, number: int, job: Job) -> Job:
        try:
            made = self._made(number, job)
        except StemsvcError as error:
            return _failed(job, error.code, error.detail)
        ended = replace(job, state=JobState.SUCCEEDED, stage="done", fraction=1.0)
        return replace(ended, outputs=dict(made.outputs), facts=dict(made.facts), warnings=made.warnings)

    def _made(self, number: int, job: Job) -> KeptJob:
        def report(stage: str, done: int = 0, of: int = 0) -> None:
            self._show(number, "running", stage, done / of if of else 0.0)

        report("starting")
        kind = registry.get(job.kind)
        read = kind.read(job.params)
        model = kind.needs(read, self._catalog).model
        params, warning = settle_here(kind, read, self._catalog, self._models, report) if model else (read, "")
        key = self._key(job, params)
        if found := self._kept.find(key):
            return found
        warnings = [JobWarning(DEMO_MODEL, warning)] if warning else []
        inputs = [LocalInput(Path(i.key), i.name, i.role, i.sha256 or "", i.from_output) for i in job.inputs]
        with self._kept.scratch() as folder:
            attempt = _Attempt(
                folder,
                job.encoding,
                self._catalog,
                Limits(self._settings.max_duration_seconds),
                self._settings,
                report,
                self._device,
                warnings=warnings,
                networks=self._models,
            )
            made = do_work(kind, params, inputs, attempt)
            kept = self._key(job, attempt.taken[-1]) if attempt.taken else key
            return self._kept.keep(kept, made, tuple(attempt.warnings))

    def _key(self, job: Job, params: Any) -> str:
        """A hash of all that the job's result depends on."""
        kind = registry.get(job.kind)
        needs, weights = kind.needs(params, self._catalog), None
        if needs.generator:
            weights = self._catalog.generators.get(needs.generator).digests
        elif needs.model:
            weights = self._models.digests(self._catalog.get(needs.model))
        digests = [each.sha256 or _digest(Path(each.key)) for each in job.inputs]
        names = [f"{each.role} {each.name}" for each in job.inputs]
        return cache_key(kind, params, job.encoding, digests, self._device, weights or [], names)


@contextmanager
def run_here(
    planned: Sequence[PlannedJob],
    songs: Sequence[Path],
    output: Path,
    catalog: Catalog,
    settings: Settings,
    device: str,
    show: Show,
) -> Iterator[LocalEnd]:
    """Do the jobs; see `LocalRun.run`. Their files are there while the context lasts.

    What is done stays in the folder of the results until a run of it has succeeded.
    """
    with Kept(output) as kept:
        end = LocalRun(kept, catalog, settings, device, show).run(planned, songs)
        yield end
        if not end.failed:
            kept.forget()


def _handed_on(job: Job, wanted: Wanted) -> list[Input]:
    awaited = Input("", role=wanted.role, from_job=job.id, from_output=wanted.output or "")
    return handed_on(job, awaited, several=wanted.several)


def _failed(job: Job, code: str, detail: str) -> Job:
    return replace(job, state=JobState.FAILED, stage="failed", error_code=code, error_detail=detail)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
