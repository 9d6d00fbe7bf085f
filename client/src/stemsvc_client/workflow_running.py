"""The whole way of songs through a workflow in one call: sent, followed, its outputs saved."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from stemsvc_client import workflow_calls as calls
from stemsvc_client.downloading import downloaded
from stemsvc_client.errors import StemsvcError, Timeout, TransientError
from stemsvc_client.following import followed
from stemsvc_client.messages import Request, body
from stemsvc_client.places import place
from stemsvc_client.problems import error_of
from stemsvc_client.results import Event, File, Job
from stemsvc_client.retries import Patience, Retry
from stemsvc_client.running import HURRY
from stemsvc_client.several import Sending, Source
from stemsvc_client.steps import Flow, Pause, Tell
from stemsvc_client.workflow_results import MadeWorkflow, Workflow, WorkflowUpdate

SHORT_SECONDS, LONG_SECONDS = 0.2, 5.0  # between polls, where there is no stream
Songs = Source | Sequence[Source]
Listener = Callable[[WorkflowUpdate], Any]


def accepted(songs: Songs, fields: Mapping[str, Any], key: str | None, retry: Retry) -> Flow[Workflow]:
    """The workflow of songs; their files go straight to storage first."""
    sending = Sending(retry)
    named = []
    for song in _several(songs):
        named.append((yield from sending.named(song)))
    sources = {"source": named[0]} if len(named) == 1 else {"sources": named} if named else {}
    workflow: Workflow = yield from calls.submitted({**sources, **body(fields)}, key, retry)
    yield from sending.cleared()
    return workflow


def waited(
    workflow_id: str, timeout: float | None, listener: Callable[[Workflow], Any] | None, retry: Retry
) -> Flow[Workflow]:
    """The workflow at its end. `listener` gets it whenever it changes. `timeout` is in seconds. Raises `Timeout`."""
    until = None if timeout is None else time.monotonic() + timeout
    now: Workflow = yield from calls.workflow(workflow_id, retry)

    def handle(event: Event) -> Flow[None]:
        nonlocal now
        now = now.moved(event)
        if listener is not None:
            yield Tell(listener, now)

    if listener is not None:
        yield Tell(listener, now)
    if not now.ended:
        brief = Retry(min(retry.patience, 10.0), retry.base, retry.cap)
        try:
            yield from followed(f"{calls.path(workflow_id)}/events", f"workflow {workflow_id}", handle, brief, until)
        except Timeout:
            raise
        except TransientError:
            pass  # no stream for us, or the service is away: the polls find out
    return (yield from _polled(workflow_id, until, listener, retry))


def _polled(
    workflow_id: str, until: float | None, listener: Callable[[Workflow], Any] | None, retry: Retry
) -> Flow[Workflow]:
    pause, patience, state = SHORT_SECONDS, Patience(retry), "unknown"
    while True:
        try:
            found: Workflow = yield from calls.workflow(workflow_id, Retry(0.0))
        except TransientError as error:
            wait = patience.pause(error, Request("GET", "")) if until is None else 1.0
        else:
            patience.reset()
            state, wait, pause = found.state, pause, min(LONG_SECONDS, 2 * pause)
            if listener is not None:
                yield Tell(listener, found)
            if found.ended:
                return found
        left = wait if until is None else min(wait, until - time.monotonic())
        if left <= 0:
            raise Timeout(f"workflow {workflow_id} is still {state}")
        yield Pause(left)


def ran(
    songs: Songs,
    fields: Mapping[str, Any],
    folder: Path,
    retry: Retry,
    *,
    key: str | None = None,
    timeout: float | None = None,
    listener: Listener | None = None,
    cancel: bool = True,
) -> Flow[MadeWorkflow]:
    """Send songs, wait for their workflow, and save its outputs in `folder`.

    Raises the error of the step that failed, by its code. `timeout` is for the workflow, in seconds. A call that is
    broken off before the workflow has ended cancels it, unless `cancel` is false.
    """

    def tell(stage: str, fraction: float, workflow: Workflow | None = None) -> Flow[None]:
        if listener is not None:
            yield Tell(listener, WorkflowUpdate(stage, fraction, workflow))

    yield from tell("uploading", 0.0)
    workflow: Workflow = yield from accepted(songs, fields, key, retry)
    try:
        workflow = yield from waited(workflow.id, timeout, _of_workflow(listener), retry)
    except BaseException:
        if cancel:
            with suppress(StemsvcError):
                yield from calls.canceled(workflow.id, HURRY)
        raise
    check(workflow)
    paths = yield from saved(workflow, folder, retry, listener)
    yield from tell("done", 1.0, workflow)
    return MadeWorkflow(workflow, paths)


def saved(workflow: Workflow, folder: Path, retry: Retry, listener: Listener | None = None) -> Flow[dict[str, Path]]:
    """Save a workflow's outputs in `folder`; returns where each is. One that is there already is not fetched again."""
    paths: dict[str, Path] = {}
    for number, (name, path) in enumerate(_places(workflow, folder).items()):
        file = workflow.outputs[name]

        def fresh(name: str = name, file: File = file) -> Flow[str]:
            again: Workflow = yield from calls.workflow(workflow.id, retry)
            return again.outputs[name].url if name in again.outputs else file.url

        def count(share: float, number: int = number) -> Any:
            assert listener is not None
            return listener(WorkflowUpdate("downloading", (number + share) / len(workflow.outputs), workflow))

        counter = None if listener is None else count
        paths[name] = yield from downloaded(file.url, path, file.sha256, retry, fresh, counter)
    return paths


def check(workflow: Workflow) -> None:
    """Raise the error of a workflow that has not succeeded, by its code."""
    if workflow.state == "succeeded":
        return
    problem = workflow.error
    if problem is None:
        error = error_of(workflow.state, f"the workflow is {workflow.state}")
    else:
        error = error_of(problem.code, f"step {problem.step}: {problem.detail}")
    error.workflow = workflow
    raise error


def _several(songs: Songs) -> list[Source]:
    """One song is a text, a path, an object or a job; anything else is several."""
    if isinstance(songs, str | os.PathLike | Mapping | Job):
        return [songs]
    return list(songs)


def _places(workflow: Workflow, folder: Path) -> dict[str, Path]:
    """Where each output is saved. Of outputs that have one file name, each gets its step's name before it."""
    places = {name: place(folder, name, file) for name, file in workflow.outputs.items()}
    taken = Counter(path.name.casefold() for path in places.values())
    for name, path in places.items():
        if taken[path.name.casefold()] > 1:
            named = replace(workflow.outputs[name], filename=f"{name.partition('.')[0]} - {path.name}")
            places[name] = place(folder, name, named)
    return places


def _of_workflow(listener: Listener | None) -> Callable[[Workflow], Any] | None:
    if listener is None:
        return None
    return lambda workflow: listener(WorkflowUpdate(workflow.state, workflow.progress.fraction, workflow))
