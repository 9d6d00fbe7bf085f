"""Jobs of several songs: each is a file of this machine, a link, an upload, or what another job made."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from stemsvc_client import calls
from stemsvc_client.errors import StemsvcError
from stemsvc_client.messages import body
from stemsvc_client.results import Job
from stemsvc_client.retries import Retry
from stemsvc_client.running import HURRY, is_link
from stemsvc_client.steps import Flow

# A file's path or a link; a source as the service has it, such as `{"job_id": ..., "output": "vocals"}`; a job, whose
# only audio file or, where several songs may come, all of whose audio files are meant.
Source = str | os.PathLike[str] | Mapping[str, str] | Job


def mixed(tracks: Sequence[Any], fields: Mapping[str, Any], key: str | None, retry: Retry) -> Flow[Job]:
    """The job of a mix. A track is a source, or an object with a `source` and its settings."""
    found = [each if isinstance(each, Mapping) and "source" in each else {"source": each} for each in tracks]
    sending = Sending(retry)
    named = []
    for track in found:
        named.append({**track, "source": (yield from sending.named(track["source"]))})
    return (yield from sending.submitted("/v1/mixes:from-source", {"tracks": named, **body(fields)}, key))


def mastered(
    song: Source, reference: Source | None, fields: Mapping[str, Any], key: str | None, retry: Retry
) -> Flow[Job]:
    """The job of a master."""
    sending = Sending(retry)
    sources: dict[str, Any] = {"source": (yield from sending.named(song))}
    if reference is not None:
        sources["reference"] = yield from sending.named(reference)
    return (yield from sending.submitted("/v1/masters:from-source", {**sources, **body(fields)}, key))


def tracked(
    path: str,
    tracks: Sequence[Source],
    named: Mapping[str, Source | None],
    fields: Mapping[str, Any],
    key: str | None,
    retry: Retry,
) -> Flow[Job]:
    """The job of a kind that takes tracks, in `sources`, and perhaps further sources, in fields of their names."""
    sending = Sending(retry)
    found: dict[str, Any] = {"sources": []}
    for track in tracks:
        found["sources"].append((yield from sending.named(track)))
    for name, source in named.items():
        if source is not None:
            found[name] = yield from sending.named(source)
    return (yield from sending.submitted(path, {**found, **body(fields)}, key))


def analysed(song: Source, stems: Source | None, fields: Mapping[str, Any], key: str | None, retry: Retry) -> Flow[Job]:
    """The job of an analysis."""
    sending = Sending(retry)
    found: dict[str, Any] = {"source": (yield from sending.named(song))}
    if stems is not None:
        found["stems"] = yield from sending.named(stems)
    return (yield from sending.submitted("/v1/analyses:from-source", {**found, **body(fields)}, key))


def generated(
    prompt: str, sources: Mapping[str, Source | None], fields: Mapping[str, Any], key: str | None, retry: Retry
) -> Flow[Job]:
    """The job of a generation. `sources` are tracks and scores by the fields that name them."""
    sending = Sending(retry)
    found: dict[str, Any] = {"prompt": prompt}
    for field, source in sources.items():
        if source is not None:
            found[field] = yield from sending.named(source)
    return (yield from sending.submitted("/v1/generations", {**found, **body(fields)}, key))


class Sending:
    """Sends the files of one job; each once, even if several tracks are the same file."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._uploads: dict[Path, str] = {}

    def named(self, source: Source) -> Flow[dict[str, str]]:
        """The source as the service has it."""
        if isinstance(source, Job):
            return {"job_id": source.id}
        if isinstance(source, Mapping):
            return dict(source)
        if is_link(source):
            return {"url": str(source)}
        path = Path(source)
        if path not in self._uploads:
            self._uploads[path] = yield from calls.uploaded(path, path.name, self._retry)
        return {"upload_id": self._uploads[path]}

    def submitted(self, path: str, whole: Mapping[str, Any], key: str | None) -> Flow[Job]:
        """The job, which has its own copies of the files; the uploads are deleted."""
        job: Job = yield from calls.submitted_body(path, whole, key, self._retry)
        yield from self.cleared()
        return job

    def cleared(self) -> Flow[None]:
        """Delete the uploads: what was made of them has its own copies."""
        for upload_id in self._uploads.values():
            with suppress(StemsvcError):  # it would expire by itself
                yield from calls.upload_deleted(upload_id, HURRY)
