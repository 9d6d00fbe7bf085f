"""A job's outputs as the inputs of other jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stemsvc.errors import UnknownOutput
from stemsvc.jobs.encoding import FORMATS
from stemsvc.jobs.filenames import output_filename
from stemsvc.jobs.record import Job
from stemsvc.jobs.spec import Input


def songs(outputs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the outputs that are audio. Of one in several formats, the best: lossless formats come first."""
    best: dict[str, str] = {}
    ranks = {name: rank for rank, name in enumerate(FORMATS)}
    for name, stored in outputs.items():
        if not str(stored.get("content_type") or "audio/").startswith("audio/"):  # release 0.1 did not store it
            continue
        sound = str(stored.get("stem") or name)
        rank = ranks.get(str(stored.get("format")), len(ranks))
        if sound not in best or rank < ranks.get(str(outputs[best[sound]].get("format")), len(ranks)):
            best[sound] = name
    return list(best.values())


def chosen(job: Job, output: str | None, *, several: bool) -> list[str]:
    """The output of that name; without a name the job's only audio file, or all of them where `several` may come.

    Raises `UsageError` `unknown_output`.
    """
    names = [output] if output is not None else songs(job.outputs)
    missing = output is not None and output not in job.outputs
    if missing or not names or (len(names) > 1 and not several):
        wrong = f"has no output {output!r}" if missing else "has several outputs: name one" if names else "has none"
        raise UnknownOutput(f"job {job.id} {wrong}; it has {', '.join(job.outputs) or 'no files'}")
    return names


def handed_on(job: Job, awaited: Input, *, several: bool) -> list[Input]:
    """What the input of a later job that waited for this one becomes: the file itself, which stays the earlier job's.

    Raises `UsageError` `unknown_output`.
    """
    names = chosen(job, awaited.from_output or None, several=several)
    return [
        replace(
            awaited,
            name=output_filename(job, name),
            key=str(job.outputs[name]["key"]),
            bytes=int(job.outputs[name].get("bytes") or 0),
            from_output=name,
        )
        for name in names
    ]
