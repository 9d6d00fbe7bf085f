"""A recipe in this process: planned as the api plans it, done by the code of the workers."""

from __future__ import annotations

import pkgutil
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemsvc.cli.run_files import RunFile, RunResult, make_folder, numbered
from stemsvc.cli.specifying import specifier
from stemsvc.cli.step_tree import Standing, StepTree
from stemsvc.errors import BadOutput, MissingPackages
from stemsvc.host.folders import for_the_caller
from stemsvc.jobs.filenames import clean_filename
from stemsvc.jobs.record import Job, JobState
from stemsvc.models.here import catalog_here
from stemsvc.observe.logs import configure_logs
from stemsvc.workflows.graph import read_steps
from stemsvc.workflows.outputs import wanted_of
from stemsvc.workflows.plan import PlannedJob, check_outputs, planned

if TYPE_CHECKING:
    from stemsvc.settings import Settings
    from stemsvc.workflows.recipes import Recipe

WORKER = "workers.workflows.local"  # a name, as that of a kind's work: the core imports no worker


def run_recipe(
    recipe: Recipe, params: Mapping[str, object], songs: Sequence[Path], output: Path, device: str, settings: Settings
) -> RunResult:
    """Run the recipe over the songs. The whole is checked before any work begins.

    Raises `UsageError` `bad_workflow` and what the kinds say of their params, `FatalError` `bad_output`,
    `missing_packages`.
    """
    catalog = catalog_here(settings)
    given = recipe.filled(params, len(songs))
    jobs = planned(read_steps(given), len(songs), specifier(catalog))
    check_outputs(recipe.outputs, given, jobs)
    work = _worker()
    make_folder(output)
    configure_logs(settings.log_format, "WARNING")  # to stderr: what is printed is for programs
    standings = [Standing(job.name, "queued") for job in jobs]
    with StepTree(recipe.title, _needs(jobs)) as tree:

        def show(number: int, state: str, stage: str, fraction: float) -> None:
            standings[number] = Standing(jobs[number].name, state, stage, fraction)
            tree.show(standings)

        with work.run_here(jobs, songs, output, catalog, settings, device, show) as end:
            return _saved(end.jobs, "failed" if end.failed else "succeeded", recipe.outputs, songs, output)


def _worker() -> Any:
    try:
        return pkgutil.resolve_name(WORKER)
    except ModuleNotFoundError as error:
        raise MissingPackages(f"the kinds' work needs {error.name}: install stemsvc[worker], or add --url") from error


def _needs(jobs: Sequence[PlannedJob]) -> dict[str, list[str]]:
    """The names of the jobs that each needs."""
    return {job.name: [jobs[each.job].name for each in job.inputs if each.job is not None] for job in jobs}


def _saved(jobs: Sequence[Job], state: str, outputs: Sequence[str], songs: Sequence[Path], output: Path) -> RunResult:
    names = numbered([clean_filename(song.name) for song in songs])
    files = {}
    for job, name in wanted_of(jobs, outputs):
        made = job.outputs[name]
        target = output / RunFile(job.id, name, made["key"], made).filename(names)
        try:
            with for_the_caller():
                shutil.copyfile(made["key"], target)
        except OSError as error:
            raise BadOutput(f"{target} can't be written: {error.strerror}") from error
        files[f"{job.id}.{name}"] = str(target)
    return RunResult(
        state,
        files,
        {job.id: job.facts for job in jobs if job.facts},
        {job.id: [vars(each) for each in job.warnings] for job in jobs if job.warnings},
        {job.id: {"code": job.error_code, "detail": job.error_detail} for job in jobs if job.state is JobState.FAILED},
    )
