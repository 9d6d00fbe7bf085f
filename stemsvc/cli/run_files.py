"""The files of a run: which of a workflow's outputs they are, and how they are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from stemsvc.errors import BadOutput
from stemsvc.host.folders import for_the_caller
from stemsvc.jobs.filenames import same_file, stem_filename

_JOB = re.compile(r"([\w-]+)(?:\[(\d+)\])?(?:\[([^\[\]]+)\])?")


@dataclass(frozen=True)
class RunFile:
    """An output of a workflow. `job` is its job's name, `name` the output's, `stored` what its own file is called."""

    job: str
    name: str
    stored: str
    facts: dict[str, Any] = field(default_factory=dict)

    def filename(self, songs: Sequence[str]) -> str:
        """How it is called in the folder of the results: `song - minus vocals mix.flac`.

        `songs` are the names of the workflow's sources. No two outputs of a workflow have the same name, unless two
        songs have.
        """
        match = _JOB.fullmatch(self.job)
        step, number, output = match.groups() if match else (self.job, None, None)
        song = songs[int(number)] if number is not None and int(number) < len(songs) else songs[0]
        words = [step, output, self.facts.get("stem") or self.name]
        said = dict.fromkeys(word for word in words if word)  # a step `master` that makes a `master` says so once
        return stem_filename(song, " ".join(said), PurePosixPath(self.stored).suffix)


@dataclass(frozen=True)
class RunResult:
    """What a run gave. `files` are where the outputs are now, by `job.output`; `facts` those of each job."""

    state: str
    files: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    errors: dict[str, dict[str, str | None]] = field(default_factory=dict)
    workflow: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """As JSON."""
        return vars(self)


def numbered(names: Sequence[str]) -> list[str]:
    """The songs' names; of those that some disk takes for one, the later have a number before."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        number, given = 1, name
        while same_file(given) in taken:
            number += 1
            given = f"{number} {name}"
        taken.add(same_file(given))
        found.append(given)
    return found


def make_folder(output: Path) -> None:
    """Make the folder of the results. Raises `FatalError` `bad_output`."""
    try:
        with for_the_caller():
            output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOutput(f"{output} can't be made: {error.strerror}") from error
