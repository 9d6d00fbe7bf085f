"""Which jobs a workflow's steps become, with their specs and their inputs: all of it, before anything exists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stemsvc.errors import BadWorkflow, UsageError
from stemsvc.jobs.encoding import FORMATS
from stemsvc.jobs.spec import JobSpec
from stemsvc.kinds import registry
from stemsvc.kinds.base import Role
from stemsvc.workflows.graph import EACH, OTHERS, SOURCES, Ref, Step

MOST_JOBS = 5000  # of one workflow
_OUTPUT = re.compile(r"([\w-]+)((?:\[[^\[\]]*\])*)(?:\.(.+))?", re.DOTALL)


@dataclass(frozen=True)
class Turn:
    """For what a step is done: the source of that number, that output of another step; None where for no such thing."""

    source: int | None = None
    output: str | None = None

    def __str__(self) -> str:
        """What stands behind the step's id: `[2][vocals]`."""
        return "".join(f"[{each}]" for each in (self.source, self.output) if each is not None)


@dataclass(frozen=True)
class Wanted:
    """One input of a job: source number `source`, or an output of the job `job`, counted in the order of the jobs.

    `output` None is its only audio file, or all of them where `several` may come.
    """

    role: str
    source: int | None = None
    job: int | None = None
    output: str | None = None
    several: bool = False


@dataclass(frozen=True)
class Draft:
    """What a job's spec is made of.

    `params` are those of a request for such a job: entries of a role have a source each. `outputs` has what is behind
    each `job_id` in those sources. `roles` are those of the inputs, in their order.
    """

    step: Step
    params: Mapping[str, Any]
    roles: tuple[str, ...]
    outputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Specify = Callable[[Draft], JobSpec]  # reads a draft by its kind's form, and lets the kind check it


@dataclass(frozen=True)
class PlannedJob:
    """A job that the workflow will have. `name` is its step's id with its turn: `split[2]`, `minus[vocals]`."""

    name: str
    step: Step
    inputs: tuple[Wanted, ...]
    spec: JobSpec
    turn: Turn = Turn()


def planned(steps: Sequence[Step], sources: int, specify: Specify, most: int = MOST_JOBS) -> list[PlannedJob]:
    """The jobs of the steps for so many sources, each after those that it needs.

    Raises `UsageError` `bad_workflow`, and what `specify` raises, with the path of what is wrong before the detail.
    """
    return _Planner(steps, sources, specify, most).planned()


def check_outputs(outputs: Sequence[str], given: Iterable[Mapping[str, Any]], jobs: Sequence[PlannedJob]) -> None:
    """Raise `UsageError` `bad_workflow` for a wanted output that no step makes.

    `given` are the steps as they were sent: what one that is left out would have made, may be named.
    """
    ids = [str(step["id"]) for step in given]
    for number, each in enumerate(outputs):
        match = _OUTPUT.fullmatch(each)
        if match is None or match[1] not in ids:
            raise BadWorkflow(f"outputs[{number}]: it must be one of {', '.join(ids)}, or 'step.output'")
        named = match[1] + match[2]
        own = [job for job in jobs if named in (job.step.id, job.name)]
        if match[2] and not own:
            raise BadWorkflow(f"outputs[{number}]: {match[1]} is not done for {match[2]}")
        known = [files_of(job.spec) for job in own]
        if match[3] is not None and own and all(known) and not any(match[3] in files for files in known):
            raise BadWorkflow(f"outputs[{number}]: {match[1]} makes {', '.join(known[0])}")


def files_of(spec: JobSpec) -> Sequence[str]:
    """Names of the files that a job of that spec makes, as far as they are known before; empty where they are not."""
    kind = registry.get(spec.kind)
    return kind.files(kind.read(spec.params), spec.encoding)


def sounds_of(spec: JobSpec) -> list[str]:
    """Those of its files that are audio, each sound once, in the best of its formats; empty where nobody knows yet."""
    kind, encoding = registry.get(spec.kind), spec.encoding
    if not kind.encodes:
        return []
    best = min((each.format for each in encoding.each), key=list(FORMATS).index)
    return [encoding.file_key(output, best) for output in kind.outputs(kind.read(spec.params))]


class _Planner:
    def __init__(self, steps: Sequence[Step], sources: int, specify: Specify, most: int) -> None:
        self._steps = {step.id: step for step in steps}
        self._sources = sources
        self._specify = specify
        self._most = most
        self._jobs: list[PlannedJob] = []
        self._places: dict[str, list[int]] = {}  # step -> its jobs' numbers
        self._specs: dict[str, JobSpec] = {}

    def planned(self) -> list[PlannedJob]:
        for step in self._steps.values():
            turns = self._turns(step)
            if len(self._jobs) + len(turns) > self._most:
                raise BadWorkflow(f"{step.at}: with it the workflow has more than {self._most} jobs")
            self._places[step.id] = []
            for turn in turns:
                self._places[step.id].append(len(self._jobs))
                self._jobs.append(self._job(step, turn))
        if not self._jobs:  # each step is done for each source
            raise BadWorkflow("sources: name at least one source")
        return self._jobs

    def _turns(self, step: Step) -> list[Turn]:
        if not step.over:
            return [Turn(number) for number in range(self._sources)] if step.for_each else [Turn()]
        turns = []
        for job in self._jobs_of(step.over):
            outputs = sounds_of(job.spec)
            if not outputs:
                raise BadWorkflow(f"{step.at}.for_each: which audio {step.over} makes is known only when it is done")
            turns += [Turn(job.turn.source, output) for output in outputs]
        return turns

    def _jobs_of(self, step: str) -> list[PlannedJob]:
        return [self._jobs[number] for number in self._places[step]]

    def _job(self, step: Step, turn: Turn) -> PlannedJob:
        found = {
            role.name: [self._found(step, ref, role, turn) for ref in step.inputs[role.name]]
            for role in registry.get(step.kind).roles
            if role.name in step.inputs
        }
        # in the order in which the step names the roles
        inputs = tuple(each for role in step.inputs for wanted in found[role] for each in wanted)
        self._check_roles(step, inputs)
        spec = self._spec(self._draft(step, found, tuple(each.role for each in inputs)))
        return PlannedJob(f"{step.id}{turn}", step, inputs, spec, turn)

    def _found(self, step: Step, ref: Ref, role: Role, turn: Turn) -> list[Wanted]:
        if ref.step is None:
            numbers = range(self._sources) if turn.source is None else [turn.source]
            return [Wanted(role.name, source=number) for number in numbers]
        several = role.most > 1 and not role.entries  # an entry is one input
        return [
            Wanted(role.name, job=number, output=output, several=several)
            for number in self._places[ref.step]
            if self._is_met(step, turn, self._jobs[number])
            for output in _outputs(ref, role, turn, self._jobs[number])
        ]

    def _is_met(self, step: Step, turn: Turn, other: PlannedJob) -> bool:
        """Whether this turn of a step takes of that job: one that is done for the same source, and the same output."""
        same_source = None in (turn.source, other.turn.source) or turn.source == other.turn.source
        return same_source and (step.over != other.step.over or turn.output == other.turn.output)

    def _check_roles(self, step: Step, inputs: Sequence[Wanted]) -> None:
        for role in registry.get(step.kind).roles:
            count = sum(each.role == role.name for each in inputs)
            if not role.least <= count <= role.most:
                amount = str(role.least) if role.least == role.most else f"{role.least} to {role.most}"
                more = f"; with `for_each: {SOURCES}` it gets one at a time" if count > role.most else ""
                where = f"{step.at}.inputs.{role.name}"
                raise BadWorkflow(f"{where}: {step.kind} takes {amount} of the role {role.name}, not {count}{more}")

    def _draft(self, step: Step, found: Mapping[str, Sequence[Sequence[Wanted]]], roles: tuple[str, ...]) -> Draft:
        """The step's params, in which each entry of a role has the sources that were found for it."""
        params, outputs = dict(step.params), dict[str, tuple[str, ...]]()
        for role in registry.get(step.kind).roles:
            if not role.entries or role.name not in found:
                continue
            entries: list[dict[str, Any]] = []
            given = step.params.get(role.entries) or [{} for _ in found[role.name]]
            for entry, wanted in zip(given, found[role.name], strict=True):
                entries += [{**entry, "source": {"upload_id": "0"}} for each in wanted if each.job is None]
                for job in dict.fromkeys(each.job for each in wanted if each.job is not None):
                    made_of = str(len(outputs))
                    outputs[made_of] = tuple(each.output or "" for each in wanted if each.job == job)
                    entries.append({**entry, "source": {"job_id": made_of}})
            params[role.entries] = entries
        return Draft(step, params, roles, outputs)

    def _spec(self, draft: Draft) -> JobSpec:
        """Its spec. Jobs of a step that ask for the same have one."""
        same = json.dumps([draft.step.id, draft.params, draft.roles, draft.outputs], default=str)
        if same not in self._specs:
            try:
                self._specs[same] = self._specify(draft)
            except BadWorkflow:
                raise
            except UsageError as error:
                raise error.saying(f"{draft.step.at}.with: {error.detail}") from error
        return self._specs[same]


def _outputs(ref: Ref, role: Role, turn: Turn, job: PlannedJob) -> Sequence[str | None]:
    """The outputs of a job that an input takes; None: which one, is found out when they are there."""
    if ref.pick == EACH:
        return [turn.output]
    known = sounds_of(job.spec)
    if ref.pick == OTHERS:
        others = [each for each in known if each != turn.output]
        if not others:
            raise BadWorkflow(f"{ref.at}: {job.step.id} makes {turn.output} alone, and no others")
        return others
    if ref.output is not None:
        files = files_of(job.spec)
        if files and ref.output not in files:
            raise BadWorkflow(f"{ref.at}: {job.step.id} has no output {ref.output!r}; it has {', '.join(files)}")
        return [ref.output]
    if len(known) > 1 and role.most == 1:
        raise BadWorkflow(f"{ref.at}: {job.step.id} has several outputs: name one of {', '.join(known)}")
    return known or [None]
