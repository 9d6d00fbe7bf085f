"""A recipe at a service: songs go there, its workflow is followed, its outputs are saved."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from stemsvc.cli.run_files import RunFile, RunResult, numbered
from stemsvc.cli.step_tree import Standing, StepTree
from stemsvc.cli.submit import LINKS
from stemsvc.errors import WorkflowNotFound
from stemsvc.host.folders import for_the_caller
from stemsvc.jobs.filenames import clean_filename
from stemsvc.workflows.recipes import Recipe, Recipes

if TYPE_CHECKING:
    from stemsvc_client.messages import Request
    from stemsvc_client.steps import Flow

FIRST_PAUSE, LONGEST_PAUSE = 0.3, 3.0  # seconds
MOST_METADATA = 3000  # bytes
WORKFLOWS = "/v1/workflows"
MOST_TRIES = 20  # workflows in a chain of retries
Workflow = dict[str, Any]


class Far:
    """One service, as `stemsvc run` asks it. Raises the client's errors."""

    def __init__(self, url: str, key: str | None) -> None:
        from stemsvc_client import Client
        from stemsvc_client.retries import Retry

        self._client = Client(url, key)
        self._retry = Retry()
        self._songs: list[str] = []

    def __enter__(self) -> Far:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def recipe(self, name: str) -> Recipe:
        """The service's recipe of that name. Raises `UsageError` `unknown_recipe`."""
        told = self.asked("GET", "/v1/recipes")["recipes"]
        known = set(Recipe.model_fields)  # a later release may tell more
        found = [Recipe(**{name: value for name, value in each.items() if name in known}) for each in told]
        return Recipes({each.name: each for each in found}).get(name)

    def start(self, recipe: Recipe, params: Mapping[str, object], songs: Sequence[str]) -> Workflow:
        """Send the songs that are files, then make the workflow; returns it."""
        sources = [self.source(song) for song in songs]
        self._songs = [_song(song) for song in songs]
        metadata = {"songs": self._songs}  # a later --resume, perhaps on another machine, names files by it
        body = {
            "recipe": recipe.name,
            "params": dict(params),
            "sources": sources,
            "name": _name(self._songs),
            "metadata": metadata if len(json.dumps(metadata)) <= MOST_METADATA else {},
        }
        return self.asked("POST", WORKFLOWS, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})

    def source(self, song: str) -> dict[str, str]:
        """What names a song to the service: its link, or its file, which is sent."""
        return {"url": song} if song.lower().startswith(LINKS) else {"upload_id": self._client.upload(song)}

    def resume(self, workflow_id: str) -> Workflow:
        """The workflow; a new one that tries again what failed, if it has failed or was canceled."""
        workflow = self.workflow(workflow_id)
        for _ in range(MOST_TRIES):  # an earlier --resume may have made one that failed, too
            if workflow["state"] not in ("failed", "canceled"):
                break
            own = {"Idempotency-Key": f"resume-{workflow['id']}"}
            workflow = self.asked("POST", f"{WORKFLOWS}/{workflow['id']}/retry", headers=own)
        return workflow

    def finish(self, workflow: Workflow, output: Path) -> RunResult:
        """Follow the workflow to its end, then save its outputs, and those of the workflows that it tries again."""
        return self.save(self.follow(workflow), output)

    def follow(self, workflow: Workflow) -> Workflow:
        """The workflow at its end; shows how far it is on stderr."""
        with StepTree(workflow["recipe"] or workflow["name"], _needs(workflow)) as tree:
            for pause in _pauses():
                tree.show(list(_standings(workflow)), workflow["progress"].get("eta_seconds"))
                if workflow["state"] != "running":
                    break
                time.sleep(pause)
                workflow = self.workflow(workflow["id"])
        return workflow

    def save(self, workflow: Workflow, output: Path) -> RunResult:
        """Save the outputs of a workflow that has ended, and those of the workflows that it tries again."""
        chain = [workflow, *self._before(workflow)]
        files = {}
        for each in reversed(chain):
            names = numbered(self._songs or each["metadata"].get("songs") or [each["name"]])
            for called, file in each["outputs"].items():
                files[called] = self._saved(called, file, names, output)
        jobs = {job["step"]: job for each in reversed(chain) for step in each["steps"] for job in step["jobs"]}
        return RunResult(
            workflow["state"],
            {called: str(path) for called, path in files.items()},
            {step: job["facts"] for step, job in jobs.items() if job.get("facts")},
            {},
            {step: job["error"] for step, job in jobs.items() if job.get("error")},
            workflow["id"],
        )

    def _before(self, workflow: Workflow) -> Iterator[Workflow]:
        """The workflows that it tries again, the newest first, as far as they are still there."""
        for _ in range(MOST_TRIES):
            if not workflow["retry_of"]:
                return
            try:
                workflow = self.workflow(workflow["retry_of"])
            except WorkflowNotFound:
                return
            yield workflow

    def _saved(self, called: str, file: Mapping[str, Any], songs: Sequence[str], output: Path) -> Path:
        job, _, name = called.partition("].") if "]." in called else called.partition(".")
        job += "]" if "]." in called else ""
        target = output / RunFile(job, name, file["filename"], dict(file)).filename(songs)
        with for_the_caller():
            return Path(self._client.download(file["url"], target, file.get("sha256") or ""))

    def workflow(self, workflow_id: str) -> Workflow:
        """The workflow as it is now. Raises `UsageError` `workflow_not_found`."""
        from stemsvc_client import StemsvcError

        try:
            return self.asked("GET", f"{WORKFLOWS}/{quote(workflow_id, safe='')}")
        except StemsvcError as error:
            if error.code == WorkflowNotFound.code:
                raise WorkflowNotFound(f"the service has no workflow {workflow_id}") from error
            raise

    def asked(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        """The answer to a request, which is sent again where that is safe. `how` goes to the client's `Request`."""
        from stemsvc_client.messages import Request

        found: dict[str, Any] = self._client.drive(self._flow(Request(method, path, **how)))
        return found

    def _flow(self, request: Request) -> Flow[dict[str, Any]]:
        from stemsvc_client.retries import sent

        answer = yield from sent(request, self._retry)
        found: dict[str, Any] = answer.json()
        return found


def _song(song: str) -> str:
    return clean_filename(song.split("?")[0].rsplit("/", 1)[-1] if song.lower().startswith(LINKS) else Path(song).name)


def _name(songs: Sequence[str]) -> str:
    return songs[0] if len(songs) == 1 else f"{songs[0]} and {len(songs) - 1} more"


def _pauses() -> Iterator[float]:
    """Seconds between two looks at a workflow: one of many jobs takes long, and its answer is long."""
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(LONGEST_PAUSE, pause * 1.1)


def _standings(workflow: Workflow) -> Iterator[Standing]:
    for step in workflow["steps"]:
        for job in step["jobs"]:
            progress = job["progress"]
            state = job["state"]
            yield Standing(job["step"], state, progress["stage"], progress["fraction"] or 0.0)


def _needs(workflow: Workflow) -> dict[str, list[str]]:
    """The jobs that each needs, as far as the steps' inputs say; those of the same source and output."""
    jobs = {step["id"]: [job["step"] for job in step["jobs"]] for step in workflow["steps"]}
    found: dict[str, list[str]] = {}
    for step in workflow["steps"]:
        needed = [each for each in step["needs"] if each in jobs]
        for name in jobs[step["id"]]:
            turn = name.removeprefix(step["id"])
            found[name] = [
                each for other in needed for each in jobs[other] if _goes_with(turn, each.removeprefix(other))
            ]
    return found


def _goes_with(turn: str, other: str) -> bool:
    """Whether a job of one turn may take of another turn's: `[2][bass]` takes of `[2]`, and `` of all."""
    return not turn or not other or turn.startswith(other) or other.startswith(turn)
