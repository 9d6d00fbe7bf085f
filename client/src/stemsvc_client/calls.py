"""The calls of the service, each as a flow of one request."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stemsvc_client.errors import NoAnswer, StemsvcError
from stemsvc_client.messages import Answer, Request, Song, body, form
from stemsvc_client.results import BatchItem, Job, Model, Usage
from stemsvc_client.retries import Retry, sent
from stemsvc_client.steps import Emit, Flow

JOBS = "/v1/jobs"


def submitted(song: Song, fields: Mapping[str, Any], key: str | None, path: str, retry: Retry) -> Flow[Job]:
    """Send a song as a form; returns the job."""
    request = Request("POST", path, headers=once(key), fields=form(fields), song=song)
    return _job((yield from sent(request, retry)))


def submitted_source(
    source: Mapping[str, str], fields: Mapping[str, Any], key: str | None, path: str, retry: Retry
) -> Flow[Job]:
    """Name the song's `source`; returns the job."""
    return (yield from submitted_body(path, {"source": dict(source), **body(fields)}, key, retry))


def submitted_body(path: str, body: Mapping[str, Any], key: str | None, retry: Retry) -> Flow[Job]:
    """Send a job's whole body; returns the job."""
    return _job((yield from sent(Request("POST", path, headers=once(key), json=body), retry)))


def batch(jobs: Sequence[Mapping[str, Any]], key: str | None, retry: Retry) -> Flow[list[BatchItem]]:
    """Send several jobs' bodies at once; returns the result of each, in order."""
    request = Request("POST", f"{JOBS}:batch", headers=once(key), json={"jobs": [body(each) for each in jobs]})
    answer: Answer = yield from sent(request, retry)
    return [BatchItem.of(each) for each in found_object(answer)["results"]]


def job(job_id: str, retry: Retry, wait: float = 0.0) -> Flow[Job]:
    """The job as it is now, or at its end if it comes within `wait` seconds."""
    headers = {"Prefer": f"wait={wait:.0f}"} if wait >= 1 else {}
    timeout = wait + 30 if headers else None
    return _job((yield from sent(Request("GET", _path(job_id), headers=headers, timeout=timeout), retry)))


def jobs(query: Mapping[str, Any], retry: Retry) -> Flow[None]:
    """Emit every job that matches the query, newest first."""
    cursor: str | None = ""
    while cursor is not None:
        params = {**query, **({"cursor": cursor} if cursor else {})}
        page = found_object((yield from sent(Request("GET", JOBS, params=params), retry)))
        for each in page["jobs"]:
            yield Emit(Job.of(each))
        cursor = page["next_cursor"]


def canceled(job_id: str, retry: Retry) -> Flow[Job]:
    """Cancel the job; returns it."""
    return _job((yield from sent(Request("POST", f"{_path(job_id)}/cancel"), retry)))


def retried(job_id: str, key: str | None, retry: Retry) -> Flow[Job]:
    """Send an ended job again; returns the new job."""
    return _job((yield from sent(Request("POST", f"{_path(job_id)}/retry", headers=once(key)), retry)))


def deleted(job_id: str, retry: Retry) -> Flow[None]:
    """Stop the job, and erase its song, its files and its record."""
    yield from erased(_path(job_id), "job_not_found", retry)


def upload_deleted(upload_id: str, retry: Retry) -> Flow[None]:
    """Delete an upload."""
    yield from erased(f"/v1/uploads/{quote(upload_id, safe='')}", "upload_not_found", retry)


def erased(path: str, gone: str, retry: Retry) -> Flow[None]:
    """Delete what is there; `gone` is the code that says that an earlier try has done it."""
    try:
        yield from sent(Request("DELETE", path), retry)
    except StemsvcError as error:
        if error.code != gone or error.tries == 1:  # an earlier try did it, and its answer was lost
            raise


def uploaded(path: Path, name: str, retry: Retry) -> Flow[str]:
    """Send a song straight to storage; returns the upload's id."""
    asked = {"filename": name, "bytes": path.stat().st_size}
    # a second announcement does no harm: one that gets no file expires
    place = found_object((yield from sent(Request("POST", "/v1/uploads", json=asked), retry)))
    headers = {"Content-Length": str(asked["bytes"]), **place["headers"]}
    yield from sent(Request("PUT", place["url"], headers=headers, song=Song(path, name)), retry)
    return str(place["upload_id"])


def usage(query: Mapping[str, str], retry: Retry) -> Flow[Usage]:
    """What was used; `since` and `until` are in ISO 8601."""
    return Usage.of(found_object((yield from sent(Request("GET", "/v1/usage", params=query), retry))))


def models(retry: Retry) -> Flow[list[Model]]:
    """The models that a job can name."""
    return [Model.of(each) for each in found_object((yield from sent(Request("GET", "/v1/models"), retry)))["models"]]


def once(key: str | None) -> dict[str, str]:
    """With this header a request that is sent again makes no second job."""
    return {"Idempotency-Key": key or uuid.uuid4().hex}


def _path(job_id: str) -> str:
    return f"{JOBS}/{quote(job_id, safe='')}"


def _job(answer: Answer) -> Job:
    return Job.of(found_object(answer))


def found_object(answer: Answer) -> dict[str, Any]:
    """The answer's JSON object. Raises `NoAnswer` where it has none."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NoAnswer("the answer is no JSON object: does the address lead to stemsvc?")
    return found
