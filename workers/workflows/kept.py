"""The folder of a run that knows which of its jobs are done: a run that was interrupted goes on from there."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from stemsvc.errors import BadOutput
from stemsvc.jobs.warnings import JobWarning
from workers.kinds.base import Made

FOLDER = ".stemsvc-run"  # within the folder of the results; it goes with the run's success
RECORD = "job.json"
LOCK = ".lock"


@dataclass(frozen=True)
class KeptJob:
    """What a job made. `outputs` are as those of a service's job; the `key` of each is its file's path here."""

    outputs: Mapping[str, dict[str, Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[JobWarning, ...] = ()


class Kept:
    """Results by a hash of all that each depends on. Raises `FatalError` `bad_output` where they can't be kept.

    While the context lasts, no other run can work in the folder.
    """

    def __init__(self, output: Path) -> None:
        self._folder = output / FOLDER

    def __enter__(self) -> Kept:
        with _translated(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self._folder / LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise BadOutput(f"another run works in {self._folder.parent}: name another folder, or wait") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()

    def find(self, key: str) -> KeptJob | None:
        """What the job with that key made; None where it is not done, or its files are not whole."""
        try:
            told = json.loads((self._folder / key / RECORD).read_text(encoding="utf-8"))
            outputs = {
                name: {**file, "key": str(self._folder / key / file["key"])} for name, file in told["outputs"].items()
            }
            if any(Path(file["key"]).stat().st_size != file["bytes"] for file in outputs.values()):
                return None
            return KeptJob(outputs, told["facts"], tuple(JobWarning(**each) for each in told["warnings"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder for a job's work."""
        with _translated(self._folder), tempfile.TemporaryDirectory(prefix="job-", dir=self._folder) as folder:
            yield Path(folder)

    def keep(self, key: str, made: Made, warnings: tuple[JobWarning, ...]) -> KeptJob:
        """Keep what a job made; its files move here. It is done from the moment in which its folder has its name."""
        with _translated(self._folder):
            target = self._folder / key
            draft = Path(tempfile.mkdtemp(prefix="done-", dir=self._folder))
            outputs = {}
            for name, file in made.files.items():
                facts = {"bytes": file.bytes, "sha256": file.digest, "content_type": file.content_type}
                outputs[name] = {**file.facts, **facts, "key": file.path.name}
                os.replace(file.path, draft / file.path.name)
            told = {"outputs": outputs, "facts": dict(made.facts), "warnings": [vars(each) for each in warnings]}
            (draft / RECORD).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
            shutil.rmtree(target, ignore_errors=True)
            draft.rename(target)
        found = self.find(key)
        assert found is not None
        return found

    def forget(self) -> None:
        """Remove the folder: the run is done."""
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def _translated(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadOutput(f"{place} can't be written: {error.strerror}") from error
