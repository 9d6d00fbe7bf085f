"""The tools beside those of kinds: songs, recipes, following, results, canceling. Each is a schema and a function."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stemsvc_client import Job, Timeout, Workflow

from stemsvc.assistants.brief import brief, heard, job_brief, workflow_brief
from stemsvc.assistants.schemas import ID, SOURCE, whole
from stemsvc.assistants.service import Service
from stemsvc.assistants.songs import song_within
from stemsvc.errors import BadArguments

MOST_WAIT = 600.0  # seconds of one `follow`; who wants to wait longer calls it again
MOST_SONGS = 1000
Report = Callable[[float, str], Awaitable[None]]  # how far it has come, 0 to 1, and in which stage


@dataclass(frozen=True)
class Call:
    """A call of a tool: the service as the caller's key sees it, folders that it may send of, where progress goes."""

    service: Service
    folders: Sequence[Path]
    report: Report


Act = Callable[[Call, dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Tool:
    """A tool of this server.

    `local`: it reads files of this machine. `reads`: it changes nothing. `ends`: it stops work that goes on.
    """

    name: str
    words: str
    schema: dict[str, Any]
    act: Act
    local: bool = False
    reads: bool = False
    ends: bool = False


async def _list_models(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    return brief({"models": (await call.service.get("/v1/models"))["models"]})


async def _list_recipes(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    names = ("name", "title", "summary", "several", "params", "outputs")
    found = (await call.service.get("/v1/recipes"))["recipes"]
    return brief({"recipes": [{name: each[name] for name in names if name in each} for each in found]})


async def _upload_song(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    path = song_within(call.folders, given["path"])
    return {"upload_id": await call.service.client.upload(path), "name": path.name}


async def _announce_upload(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    return brief(await call.service.post("/v1/uploads", given))


async def _run_recipe(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    _check_songs(given)
    return workflow_brief(await call.service.post("/v1/workflows", given, uuid.uuid4().hex))


async def _plan_recipe(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    return brief(await call.service.post("/v1/workflows:plan", given))


async def _follow(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    _check_one(given)
    timeout, furthest = float(given.get("seconds", 60.0)), -1.0

    async def told(fraction: float, stage: str) -> None:
        nonlocal furthest
        if fraction > furthest:  # progress may only grow, and an attempt that begins again does not
            furthest = fraction
            await call.report(fraction, stage)

    async def of_job(job: Job) -> None:
        await told(1.0 if job.ended else job.progress.fraction, job.progress.stage)

    async def of_workflow(workflow: Workflow) -> None:
        await told(workflow.progress.fraction, workflow.state)

    client = call.service.client
    try:
        if "job_id" in given:
            await client.wait(given["job_id"], timeout, of_job)
        else:
            await client.wait_workflow(given["workflow_id"], timeout, of_workflow)
    except Timeout:
        pass  # the answer says how far it is
    return await _results(call, {name: given[name] for name in ("job_id", "workflow_id") if name in given})


async def _results(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    _check_one(given)
    if "job_id" in given:
        return job_brief(await call.service.get(_job(given)))
    workflow = await call.service.get(_workflow(given))
    analysed = [
        job
        for step in workflow["steps"]
        for job in step["jobs"]
        if job["kind"] in ("analyze", "separate") and job["state"] == "succeeded"
    ][:8]
    jobs = await asyncio.gather(*(call.service.get(f"/v1/jobs/{job['id']}") for job in analysed))
    facts = {job["step"]: heard(whole) for job, whole in zip(analysed, jobs, strict=True) if heard(whole)}
    return workflow_brief(workflow, facts)


async def _cancel(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    _check_one(given)
    if "job_id" in given:
        return job_brief(await call.service.post(f"{_job(given)}/cancel", {}))
    return workflow_brief(await call.service.post(f"{_workflow(given)}/cancel", {}))


def _check_one(given: Mapping[str, Any]) -> None:
    if ("job_id" in given) == ("workflow_id" in given):
        raise BadArguments("name either a job_id or a workflow_id")


def _check_songs(given: Mapping[str, Any]) -> None:
    if "source" in given and "sources" in given:
        raise BadArguments("name either source or sources")


def _job(given: Mapping[str, Any]) -> str:
    return f"/v1/jobs/{quote(given['job_id'], safe='')}"


def _workflow(given: Mapping[str, Any]) -> str:
    return f"/v1/workflows/{quote(given['workflow_id'], safe='')}"


_ONE = {"job_id": {**ID, "description": "a job"}, "workflow_id": {**ID, "description": "or a workflow"}}
_WAIT = {
    "type": "number",
    "minimum": 1,
    "maximum": MOST_WAIT,
    "description": "how long to wait at most; by default 60. What has not ended then goes on: call again",
}
_PARAMS = {"type": "object", "description": "the recipe's params; list_recipes says which", "maxProperties": 100}
_RECIPE = {"type": "string", "maxLength": 64, "description": "a name that list_recipes gives"}
_SOURCES = {"type": "array", "items": SOURCE, "minItems": 1, "maxItems": MOST_SONGS}
_SECONDS = {
    "type": "array",
    "items": {"type": ["number", "null"], "exclusiveMinimum": 0},
    "minItems": 1,
    "maxItems": MOST_SONGS,
    "description": "how long songs play that are not sent yet, in place of sources",
}
TOOLS = (
    Tool(
        "list_models",
        "The models that separate songs: their stems, licences and costs.",
        whole({}),
        _list_models,
        reads=True,
    ),
    Tool(
        "list_recipes", "The recipes: workflows with parameters, such as karaoke.", whole({}), _list_recipes, reads=True
    ),
    Tool(
        "upload_song",
        "Send a song from this machine. It must be in a folder that the user has shared. Gives an upload_id.",
        whole({"path": {"type": "string", "minLength": 1, "maxLength": 4096}}, "path"),
        _upload_song,
        local=True,
    ),
    Tool(
        "announce_upload",
        "Get a signed URL to which you, or the user, PUT a song's bytes. Gives an upload_id, which names it then.",
        whole(
            {
                "filename": {"type": "string", "minLength": 1, "maxLength": 512},
                "bytes": {"type": "integer", "minimum": 1},
            },
            "filename",
        ),
        _announce_upload,
    ),
    Tool(
        "run_recipe",
        "Run a recipe on a song, or on several where it takes several. Gives a workflow_id at once: follow it then.",
        whole(
            {
                "recipe": _RECIPE,
                "params": _PARAMS,
                "source": SOURCE,
                "sources": _SOURCES,
                "name": {"type": "string", "maxLength": 512},
            },
            "recipe",
        ),
        _run_recipe,
    ),
    Tool(
        "plan_recipe",
        "Say what a recipe would take, before it runs: steps, pools, waiting and working time, storage, cost.",
        whole({"recipe": _RECIPE, "params": _PARAMS, "sources": _SOURCES, "seconds": _SECONDS}, "recipe"),
        _plan_recipe,
        reads=True,
    ),
    Tool(
        "follow",
        "Wait for a job or a workflow, with progress notifications, and give its results.",
        whole({**_ONE, "seconds": _WAIT}),
        _follow,
        reads=True,
    ),
    Tool(
        "results",
        "A job's or a workflow's state and results as they are now: signed links, loudness, BPM, key, errors.",
        whole(_ONE),
        _results,
        reads=True,
    ),
    Tool("cancel", "Stop a job or a workflow. What has ended stays.", whole(_ONE), _cancel, ends=True),
)
