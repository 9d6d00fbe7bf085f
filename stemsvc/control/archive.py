"""A job's files as one zip."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from stemsvc.errors import ObjectMissing, UnknownFile
from stemsvc.jobs.filenames import output_filename, same_file
from stemsvc.jobs.record import Job, JobState
from stemsvc.storage import Storage
from stemsvc.storage.zipped import PART, Member, Zipped


def zip_bytes(job: Job) -> int:
    """The size of the archive of all files of a job that succeeded."""
    return _zipped(job, job.outputs, lambda output: 0, lambda key: _nothing).size


def open_zip(job: Job, storage: Storage, names: Sequence[str] = ()) -> Zipped:
    """The archive of the job's files; with `names` of those alone: names in `files`, or stems in all their formats.

    Raises `UsageError` `object_missing` where the job has no files any more, `unknown_file`, and the storage's errors.
    """
    if job.state is not JobState.SUCCEEDED:
        raise ObjectMissing("the files of this job are gone")
    return _zipped(
        job, _chosen(job, names), lambda output: _crc32(output, storage), lambda key: partial(storage.read, key)
    )


def _chosen(job: Job, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    stems = {name: output.get("stem", name) for name, output in job.outputs.items()}
    if unknown := [name for name in names if name not in {*stems, *stems.values()}]:
        raise UnknownFile(f"the job has no file {unknown[0]!r}; it has {', '.join(job.outputs)}")
    chosen = {name for name, stem in stems.items() if not names or name in names or stem in names}
    return {name: output for name, output in job.outputs.items() if name in chosen}


def _zipped(
    job: Job,
    outputs: Mapping[str, Mapping[str, Any]],
    crc32: Callable[[Mapping[str, Any]], int],
    reader: Callable[[str], Callable[[int, int], bytes]],
) -> Zipped:
    members = [
        Member(filename, int(outputs[name]["bytes"]), crc32(outputs[name]), reader(outputs[name]["key"]))
        for name, filename in zip(outputs, _unlike(output_filename(job, name) for name in outputs), strict=True)
    ]
    return Zipped(members, datetime.fromtimestamp(job.finished_at or 0.0, UTC))


def _unlike(names: Iterator[str]) -> Iterator[str]:
    """The names, with a number where a disk that knows no capitals would take two for the same."""
    seen: set[str] = set()
    for name in names:
        path, number, each = PurePosixPath(name), 1, name
        while same_file(each) in seen:
            number += 1
            each = f"{path.stem} ({number}){path.suffix}"
        seen.add(same_file(each))
        yield each


def _crc32(output: Mapping[str, Any], storage: Storage) -> int:
    """The checksum that the worker noted; workers of release 0.2 noted none, so the object is read for it."""
    if "crc32" in output:
        return int(output["crc32"])
    found, size = 0, int(output["bytes"])
    for start in range(0, size, PART):
        found = zlib.crc32(storage.read(output["key"], start, min(PART, size - start)), found)
    return found


def _nothing(start: int, count: int) -> bytes:
    return b""
