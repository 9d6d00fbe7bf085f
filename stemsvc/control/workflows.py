"""Accepts workflows: checks a graph as a whole, then makes it and all of its jobs at once. Cancels, erases, retries."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from stemsvc.control.accept import Acceptance, Request, Routed, granted, track_of
from stemsvc.control.job_outputs import JobOutputs
from stemsvc.control.publish import Sender
from stemsvc.control.sources import Source
from stemsvc.errors import JobNotFound, StemsvcError, WorkflowNotFound, WorkflowNotRetryable
from stemsvc.jobs.pools import FETCH, INPUTS, Pool
from stemsvc.jobs.probe import Length
from stemsvc.jobs.record import WAITING_FOR_INPUTS, Job, JobState, new_job_id
from stemsvc.jobs.spec import Input, JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.audit import By
from stemsvc.jobstore.intake import IdempotencyKey, NewStep
from stemsvc.storage import Storage
from stemsvc.workflows.graph import Step
from stemsvc.workflows.plan import Draft, PlannedJob, Wanted, check_outputs, planned
from stemsvc.workflows.record import Workflow, WorkflowState

SpecOf = Callable[[Draft], JobSpec]  # a job's spec by its kind's form, still to be checked; raises `UsageError`


@dataclass(frozen=True)
class Order:
    """What a client asks for. `given` are the steps as it sent them, `steps` what was read of them.

    `outputs` names the outputs that it wants, as `step.output`; all where it is empty. `options` are the metadata, the
    webhook and the priority of the whole.
    """

    steps: Sequence[Step]
    given: Sequence[Mapping[str, Any]]
    sources: Sequence[Source]
    name: str = ""
    recipe: str | None = None
    outputs: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Awaited:
    """An input that another new job will make; `job` is that one's number."""

    job: int
    role: str
    output: str = ""
    several: bool = False


@dataclass(frozen=True)
class _NewJob:
    """A job to be made: its step's name, its spec, its inputs, and what is known of its track's length.

    `at` is the step's path in the request; empty where the request names no steps.
    """

    name: str
    spec: JobSpec
    inputs: Sequence[Source | _Awaited]
    track: Length | None
    at: str = ""

    @property
    def sources(self) -> list[Source]:
        """Those of its inputs that are there."""
        return [each for each in self.inputs if not isinstance(each, _Awaited)]


@dataclass(frozen=True)
class Route:
    """Where a job of a workflow would go, and why. `cost` and `seconds`, of its track, are in seconds.

    `seconds` is 0 where the length is not known. `needs` are the numbers of the jobs that must end before it.
    """

    name: str
    spec: JobSpec
    pool: Pool
    why: str
    alive: bool
    cost: float
    seconds: float
    needs: tuple[int, ...]


class WorkflowAcceptance:
    """Turns checked graphs into workflows; cancels, erases and retries them on request."""

    def __init__(
        self, store: JobStore, storage: Storage, sender: Sender, acceptance: Acceptance, outputs: JobOutputs
    ) -> None:
        self._store = store
        self._storage = storage
        self._sender = sender
        self._acceptance = acceptance
        self._outputs = outputs

    def accept(self, order: Order, spec_of: SpecOf, request: Request) -> Workflow:
        """Make the workflow and its jobs; those whose inputs are sources are sent on at once.

        All is checked before anything is stored. Raises `UsageError` `bad_workflow` for the graph, what `spec_of` and
        `Acceptance.accept` raise for a step, with its path before the detail, and `TransientError` as
        `Acceptance.accept` does: then nothing was made and no file stays.
        """
        jobs = self._checked(order, spec_of)
        spec = {
            "steps": [dict(each) for each in order.given],
            "outputs": list(order.outputs),
            "needs": {step.id: sorted(step.needs) for step in order.steps},
            "tolerated": [step.id for step in order.steps if step.tolerated],
        }
        name = order.name or next((each.name or each.url for each in order.sources), "workflow")
        workflow = _new(name, spec, dict(order.options), order.recipe, request)
        return self._make(workflow, jobs, request, _idempotency_key(order, request))

    def routes(self, order: Order, spec_of: SpecOf, request: Request) -> list[Route]:
        """Where each of its jobs would go, and what it would cost. Nothing is made; raises what `accept` raises."""
        jobs = self._checked(order, spec_of)
        return [_route(job, self._routed(job, request)) for job in jobs]

    def _checked(self, order: Order, spec_of: SpecOf) -> list[_NewJob]:
        jobs = planned(
            order.steps,
            len(order.sources),
            lambda draft: self._acceptance.specify(spec_of(draft), draft.roles),
        )
        check_outputs(order.outputs, order.given, jobs)
        return self._new_jobs(order, jobs)

    def _routed(self, job: _NewJob, request: Request) -> Routed:
        with _told_of(job.name, job.at):
            return self._acceptance.routed(job.spec, request, [each.url for each in job.sources], job.track)

    def retry(self, workflow_id: str, owner: str | None, request: Request) -> Workflow:
        """A new workflow of those steps that did not succeed. They take what the others made.

        Raises `UsageError` `workflow_not_found`, `workflow_not_retryable`, and what `Acceptance.again` raises.
        """
        old = self.view(workflow_id, owner)
        if old.state not in (WorkflowState.FAILED, WorkflowState.CANCELED):
            raise WorkflowNotRetryable(f"the workflow is {old.state}; one that failed or was canceled can be retried")
        again = [job for job in self._store.workflows.jobs(workflow_id) if job.state is not JobState.SUCCEEDED]
        numbers = {job.id: number for number, job in enumerate(again)}
        jobs = [self._again(job, numbers, owner) for job in again]
        workflow = replace(_new(old.name, old.spec, old.options, old.recipe, request), retry_of=old.id)
        return self._make(workflow, jobs, request, _key(request, {"retry_of": old.id}))

    def _again(self, job: Job, numbers: Mapping[str, int], owner: str | None) -> _NewJob:
        spec = self._acceptance.specify(job.spec, [each.role for each in job.inputs])
        inputs: list[Source | _Awaited] = []
        with _told_of(job.step or job.id):
            for number, each in enumerate(job.inputs):
                if each.url:  # also where another job was to fetch it
                    inputs.append(self._acceptance.source_again(job, number, each))
                elif each.from_job in numbers:
                    inputs.append(_Awaited(numbers[each.from_job], each.role, each.from_output, each.several))
                elif each.from_job:
                    output = each.from_output or None
                    inputs += self._outputs.find(each.from_job, output, owner, each.role, each.several)
                else:
                    inputs.append(self._acceptance.source_again(job, number, each))
            return _NewJob(job.step or "", spec, inputs, None)

    def _new_jobs(self, order: Order, jobs: Sequence[PlannedJob]) -> list[_NewJob]:
        lengths = [track_of([source], self._storage) for source in order.sources]
        known = [each.seconds for each in lengths if each is not None]
        guess = Length(max(known), proved=False) if known else None  # of what a step makes

        def track(job: PlannedJob) -> Length | None:
            own = [lengths[each.source] for each in job.inputs if each.source is not None]
            if not own or None in own:
                return guess
            return max((each for each in own if each), key=lambda each: each.seconds)

        def given(each: Wanted) -> Source | _Awaited:
            if each.job is not None:
                return _Awaited(each.job, each.role, each.output or "", each.several)
            source: Any = order.sources[each.source or 0]
            own: Source = source if source.role == each.role else replace(source, role=each.role)
            return own

        return [
            _NewJob(job.name, job.spec, [given(each) for each in job.inputs], track(job), job.step.at) for job in jobs
        ]

    def _make(
        self, workflow: Workflow, jobs: Sequence[_NewJob], request: Request, key: IdempotencyKey | None
    ) -> Workflow:
        earlier = self._store.intake.earlier(request.owner, key) if key else None
        if earlier is not None and earlier.job.workflow_id:  # even where pools and rules have changed since
            return self.view(earlier.job.workflow_id, None)
        self._acceptance.check_address(workflow.options.get("webhook_url", ""))
        routed = [self._routed(job, request) for job in jobs]
        bounds = self._acceptance.bounds_of(request)
        size = sum(each.size(self._storage) for job in jobs for each in job.sources) if bounds.stored_bytes else 0
        self._store.intake.check_room(routed[0].choice.pool.name, request.owner, bounds, size)
        steps: list[NewStep] = []
        fetchers: dict[str, str] = {}  # each link's
        try:
            for job, where in zip(jobs, routed, strict=True):
                before = [each.job.id for each in steps]
                steps.append(self._step(job, where, before, fetchers, workflow, request))
            made = self._store.intake.put_workflow(workflow, steps, bounds, key)
        except BaseException:
            self._erase(steps)
            raise
        if made != workflow.id:  # a request with the same key was faster
            self._erase(steps)
        else:
            self._sender.wake()
        return self.view(made, None)

    def _step(
        self,
        new: _NewJob,
        where: Routed,
        before: Sequence[str],
        fetchers: dict[str, str],
        workflow: Workflow,
        request: Request,
    ) -> NewStep:
        job = self._acceptance.stored(new.sources, where.spec, where.choice.pool.name, replace(request, retry_of=None))
        stored = iter([_linked(each, fetchers) if each.url else each for each in job.inputs])
        inputs = tuple(
            _input(each, before, workflow.name) if isinstance(each, _Awaited) else next(stored) for each in new.inputs
        )
        waits = tuple(dict.fromkeys(each.from_job for each in inputs if each.awaited))
        job = replace(job, inputs=inputs, cost=where.cost, workflow_id=workflow.id, step=new.name)
        if waits:
            job = replace(job, pool=INPUTS, next_pool=job.pool, stage=WAITING_FOR_INPUTS)
        elif any(each.url for each in inputs):
            job = replace(job, pool=FETCH, next_pool=job.pool)
        if not waits:  # a job that waits for others could let those wait who only want its link
            fetchers |= {each.url: job.id for each in inputs if each.url}
        seconds = where.proved_seconds if new.sources else 0.0
        return NewStep(job, f"accepted as step {new.name}; {where.choice.why}", seconds, waits)

    def _erase(self, steps: Sequence[NewStep]) -> None:
        for each in steps:
            with contextlib.suppress(StemsvcError):  # the janitor removes as an orphan what can't be deleted now
                self._storage.delete(f"jobs/{each.job.id}/")

    def view(self, workflow_id: str, owner: str | None) -> Workflow:
        """The workflow, if it is the owner's; None as owner may see everybody's. Raises `workflow_not_found`."""
        workflow = self._store.workflows.get(workflow_id) if workflow_id.isalnum() else None
        if workflow is None or owner not in (None, workflow.owner):
            raise WorkflowNotFound("no such workflow")
        return workflow

    def cancel(self, workflow_id: str, owner: str | None = None) -> Workflow:
        """Cancel all of its jobs that have not ended. Raises `UsageError` `workflow_not_found`."""
        self.view(workflow_id, owner)
        for job in self._store.workflows.jobs(workflow_id):
            if not job.finished:
                self._store.cancel(job.id, "the client canceled the workflow")
        return self.view(workflow_id, owner)

    def erase(self, workflow_id: str, owner: str | None = None, by: By | None = None) -> None:
        """Cancel it, erase its jobs with their files, then its row. Raises `UsageError` `workflow_not_found`.

        `by` is the admin who does it, for the audit log.
        """
        self.cancel(workflow_id, owner)
        for job in self._store.workflows.jobs(workflow_id):
            with contextlib.suppress(JobNotFound):  # somebody erases it at the same time
                self._acceptance.erase(job.id, by=by)
        self._store.workflows.delete(workflow_id, by)


def _new(name: str, spec: dict[str, Any], options: dict[str, Any], recipe: str | None, request: Request) -> Workflow:
    priority = granted(str(options.get("priority") or ""), request.max_priority)
    options = {**options, "priority": priority}
    return Workflow(new_job_id(), request.owner, name, spec, options, recipe, request_id=request.id)


def _linked(each: Input, fetchers: Mapping[str, str]) -> Input:
    """A link's input: it waits for the job that fetches the same link, if there is one."""
    return replace(each, key="", from_job=fetchers.get(each.url, ""))


def _route(job: _NewJob, routed: Routed) -> Route:
    needs = dict.fromkeys(each.job for each in job.inputs if isinstance(each, _Awaited))
    choice, seconds = routed.choice, routed.length.seconds if routed.length else 0.0
    return Route(job.name, routed.spec, choice.pool, choice.why, choice.alive, routed.cost, seconds, tuple(needs))


def _input(each: _Awaited, before: Sequence[str], name: str) -> Input:
    """An input that is called by the workflow's name until it is there."""
    return Input(name, role=each.role, from_job=before[each.job], from_output=each.output, several=each.several)


@contextlib.contextmanager
def _told_of(step: str, at: str = "") -> Iterator[None]:
    """An error of a step's job names the step, after its path in the request."""
    try:
        yield
    except StemsvcError as error:
        raise error.saying(": ".join(filter(None, (at, f"step {step}", error.detail)))) from error


def _idempotency_key(order: Order, request: Request) -> IdempotencyKey | None:
    sources = [[each.name, each.fingerprint()] for each in order.sources] if request.idempotency_key else []
    steps = [asdict(each) for each in order.steps]
    return _key(request, [order.name, order.recipe, list(order.outputs), dict(order.options), steps, sources])


def _key(request: Request, asked: Any) -> IdempotencyKey | None:
    """The client's key and a hash of what it asks for; None where it gave no key."""
    if request.idempotency_key is None:
        return None
    text = json.dumps({"workflow": asked}, sort_keys=True, default=str)
    return IdempotencyKey(request.idempotency_key, hashlib.sha256(text.encode()).hexdigest())
