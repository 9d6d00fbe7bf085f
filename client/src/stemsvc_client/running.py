"""The whole way of a song in one call: sent, separated, downloaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from stemsvc_client import calls
from stemsvc_client.downloading import saved
from stemsvc_client.errors import StemsvcError
from stemsvc_client.following import waited
from stemsvc_client.messages import Song
from stemsvc_client.places import place
from stemsvc_client.problems import error_of
from stemsvc_client.results import Job, Made, Update
from stemsvc_client.retries import Retry
from stemsvc_client.steps import Flow, Tell

FORM_BYTES = 32 * 1024 * 1024  # a larger song goes straight to storage
HURRY = Retry(5.0)  # the last words of a call that is broken off
Listener = Callable[[Update], Any]


def ran(
    song: str | os.PathLike[str],
    fields: Mapping[str, Any],
    folder: Path,
    retry: Retry,
    *,
    name: str = "",
    key: str | None = None,
    path: str = calls.JOBS,
    timeout: float | None = None,
    listener: Listener | None = None,
    cancel: bool = True,
) -> Flow[Made]:
    """Send a song or a link, wait for its job, and save the job's files in `folder`.

    Raises the job's error, by its code, where it does not succeed. `timeout` is for the job, in seconds. A call that is
    broken off before the job has ended cancels the job, unless `cancel` is false.
    """
    label = name or name_of(song)

    def tell(stage: str, fraction: float, job: Job | None = None) -> Flow[None]:
        if listener is not None:
            yield Tell(listener, Update(label, stage, fraction, job))

    yield from tell("uploading", 0.0)
    job = yield from accepted(song, fields, retry, label, key, path)
    yield from tell(job.progress.stage, job.progress.fraction, job)
    try:
        job = yield from waited(job.id, timeout, _of_job(label, listener), retry)
    except BaseException:
        if cancel:
            with suppress(StemsvcError):
                yield from calls.canceled(job.id, HURRY)
        raise
    check(job)
    paths: dict[str, Path] = {}
    for number, (each, file) in enumerate(job.files.items()):
        yield from tell("downloading", number / len(job.files), job)
        counter = _of_file(label, listener, job, number)
        paths[each] = yield from saved(job, each, place(folder, each, file), retry, counter)
    yield from tell("done", 1.0, job)
    return Made(job, paths)


def accepted(
    song: str | os.PathLike[str], fields: Mapping[str, Any], retry: Retry, name: str, key: str | None, path: str
) -> Flow[Job]:
    """The job of a song: sent as a form, or straight to storage where it is large, or named where it is a link."""
    if is_link(song):
        return (yield from calls.submitted_source({"url": str(song)}, fields, key, path, retry))
    file = Path(song)
    if file.stat().st_size <= FORM_BYTES:
        return (yield from calls.submitted(Song(file, name), fields, key, path, retry))
    upload_id = yield from calls.uploaded(file, name, retry)
    job: Job = yield from calls.submitted_source({"upload_id": upload_id}, fields, key, path, retry)
    with suppress(StemsvcError):  # the job has its own copy; the upload would expire by itself
        yield from calls.upload_deleted(upload_id, HURRY)
    return job


def check(job: Job) -> None:
    """Raise the error of a job that has not succeeded, by its code."""
    if job.state == "succeeded":
        return
    problem = job.error
    error = error_of(problem.code, problem.detail) if problem else error_of(job.state, f"the job is {job.state}")
    error.job = job
    raise error


def is_link(song: str | os.PathLike[str]) -> bool:
    """Whether a song is named by an address."""
    return isinstance(song, str) and song.lower().startswith(("http://", "https://"))


def name_of(song: str | os.PathLike[str]) -> str:
    """What a song is called if nobody says: its file's name, or its link."""
    return str(song) if is_link(song) else Path(song).name


def _of_job(label: str, listener: Listener | None) -> Callable[[Job], Any] | None:
    if listener is None:
        return None
    return lambda job: listener(Update(label, job.progress.stage, job.progress.fraction, job))


def _of_file(label: str, listener: Listener | None, job: Job, number: int) -> Callable[[float], Any] | None:
    if listener is None:
        return None
    count = len(job.files)
    return lambda share: listener(Update(label, "downloading", (number + share) / count, job))
