"""An attempt's files: its inputs brought to the scratch disk, its results stored, or an earlier job's copied."""

from __future__ import annotations

import contextvars
import hashlib
import json
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from stemsvc.errors import InputGone, ObjectMissing, StemsvcError
from stemsvc.jobs.record import Job
from stemsvc.jobs.spec import Input
from stemsvc.jobs.warnings import DEMO_MODEL, MODEL_REPLACED, JobWarning
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.leases import Origin
from stemsvc.observe.loggers import get_logger
from stemsvc.storage import Storage
from workers.attempt.attempt import Attempt
from workers.attempt.manifest import ORIGIN, origin_of
from workers.attempt.retry import Patiently
from workers.kinds.base import ChooseOutputs, LocalInput, Made, MadeFile

log = get_logger()
MANIFEST = "manifest.json"
UPLOADS = 4  # files of one job at a time


@dataclass(frozen=True)
class Result:
    """What a job's row is to say of its result."""

    source: dict[str, Any]
    outputs: dict[str, dict[str, Any]]
    origin: Origin
    facts: dict[str, Any]
    noun: str  # what the kind makes, for people
    device: str
    model: str  # empty: none
    warnings: tuple[JobWarning, ...] = ()
    params: dict[str, Any] | None = None  # those that the attempt took instead of the row's
    previews: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long the track plays; 0 where there is none."""
        return float(self.source.get("duration_seconds", 0.0))


def _result(
    attempt: Attempt,
    source: Mapping[str, Any],
    outputs: dict[str, dict[str, Any]],
    origin: Origin,
    facts: Mapping[str, Any],
    warnings: tuple[JobWarning, ...],
    previews: dict[str, dict[str, Any]],
) -> Result:
    return Result(
        dict(source),
        outputs,
        origin,
        dict(facts),
        attempt.of.kind.noun,
        attempt.device,
        attempt.model,
        warnings,
        attempt.params_taken,
        previews,
    )


def warnings_of(attempt: Attempt) -> tuple[JobWarning, ...]:
    """What the job was made with, and what this attempt adds."""
    return (*attempt.job.warnings, *attempt.warnings)


@dataclass(frozen=True)
class Files:
    """Moves files between storage and scratch disk. Where the storage is away it asks again: nothing is made anew."""

    scratch: Path
    store: JobStore
    storage: Storage
    patiently: Patiently

    def inputs(self, attempt: Attempt) -> list[LocalInput]:
        """The inputs' files, on the scratch disk. Raises the storage's errors."""
        return [self._input(attempt, number, each) for number, each in enumerate(attempt.job.inputs)]

    def _input(self, attempt: Attempt, number: int, each: Input) -> LocalInput:
        path = attempt.folder / (f"input-{number}" if number else "input")
        try:
            self.patiently(lambda: self.storage.fetch(each.key, path))
        except ObjectMissing as error:
            raise InputGone(f"the input {each.name} is no longer stored") from error
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return LocalInput(path, each.name, each.role, digest, each.from_output)

    def earlier(self, attempt: Attempt, kind: str, sha256: str, choose: ChooseOutputs) -> list[LocalInput]:
        """The chosen outputs of the owner's newest job of that kind and first input; none where some are gone."""
        found = self.store.find_made(attempt.job.owner, kind, sha256) if sha256 else None
        inputs = []
        for number, name in enumerate(choose(found.outputs) if found else ()):
            assert found is not None
            path = attempt.folder / f"earlier-{number}"
            try:
                self.patiently(partial(self.storage.fetch, found.outputs[name]["key"], path))
            except ObjectMissing:  # it was deleted, or expired, in this moment
                return []
            inputs.append(LocalInput(path, name, output=name))
            attempt.report("fetching")
        return inputs

    def keep(self, attempt: Attempt, made: Made, told: dict[str, Any], origin: Origin) -> Result:
        """Upload the files, and what is `told` of them as the manifest."""
        kept = self._all_kept(made.files, attempt)
        outputs = {name: {**file.facts, **kept[name], "crc32": file.crc32} for name, file in made.files.items()}
        previews = self._kept_previews(made, attempt)
        told = told if previews else {**told, "previews": {}}
        filled = replace(origin, manifest_key=self._put_manifest(told, attempt))
        return _result(attempt, made.source, outputs, filled, made.facts, warnings_of(attempt), previews)

    def _kept_previews(self, made: Made, attempt: Attempt) -> dict[str, dict[str, Any]]:
        """The previews, all or none: no job fails for what only a player needs."""
        try:
            return self._all_kept(made.previews, attempt)
        except StemsvcError as error:
            log.warning("no previews", why=error.detail)
            return {}

    def _all_kept(self, files: Mapping[str, MadeFile], attempt: Attempt) -> dict[str, dict[str, Any]]:
        """Upload files, some at a time: of a short track's many small files each would wait for the storage's answer.

        Where one fails, no other begins, and those that have begun end first: then the attempt may be erased.
        """
        kept: dict[str, dict[str, Any]] = {}
        with ThreadPoolExecutor(UPLOADS, "upload") as pool:
            begun = {
                name: pool.submit(contextvars.copy_context().run, self._kept, file, attempt)
                for name, file in files.items()
            }
            try:
                for name, each in begun.items():
                    kept[name] = each.result()
                    attempt.report("uploading")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return kept

    def _kept(self, file: MadeFile, attempt: Attempt) -> dict[str, Any]:
        key = f"{attempt.lease.prefix}/{file.path.name}"
        self._put(key, file.path, file.content_type)
        return {"key": key, "bytes": file.bytes, "sha256": file.digest, "content_type": file.content_type}

    def take(self, attempt: Attempt, origin: Origin) -> Result | None:
        """The result of an earlier job that was the same, copied; None where there is none any more."""
        found = self.store.find_cached(attempt.job.owner, origin.cache_key) if origin.cache_key else None
        if found is None or found.manifest_key is None:
            return None
        attempt.report("uploading")
        try:
            outputs = {name: self._copied(output, attempt) for name, output in found.outputs.items()}
            previews = self._copied_previews(found, attempt)
            key = self._copied_manifest(found, attempt, previews)
        except ObjectMissing:  # it was deleted, or expired, in this moment
            self.storage.delete(f"{attempt.lease.prefix}/")
            return None
        log.info("taken from an earlier job", earlier=found.id)
        taken = replace(origin, cached=True, manifest_key=key)
        of_the_track = tuple(each for each in found.warnings if each.code not in (DEMO_MODEL, MODEL_REPLACED))
        warnings = (*warnings_of(attempt), *of_the_track)
        return _result(attempt, found.source, outputs, taken, found.facts, warnings, previews)

    def _copied_previews(self, found: Job, attempt: Attempt) -> dict[str, dict[str, Any]]:
        """The earlier job's previews, all or none: a result is worth taking without them."""
        try:
            return {name: self._copied(file, attempt) for name, file in found.previews.items()}
        except ObjectMissing:
            return {}

    def _copied(self, output: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
        key = f"{attempt.lease.prefix}/{output['key'].rsplit('/', 1)[-1]}"
        self.patiently(lambda: self.storage.copy(output["key"], key))
        return {**output, "key": key}

    def _copied_manifest(self, found: Job, attempt: Attempt, previews: Mapping[str, Any]) -> str:
        """The earlier job's manifest with this one's names in it, and those previews that are there."""
        job = attempt.job
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            path = Path(folder) / MANIFEST
            self.patiently(lambda: self.storage.fetch(str(found.manifest_key), path))
            told = json.loads(path.read_text(encoding="utf-8"))
        told |= {"job_id": job.id, "attempt": job.attempt, "cached_from": found.id}
        told["previews"] = {name: each for name, each in told.get("previews", {}).items() if name in previews}
        entries = [*zip(told.get("inputs", ()), job.inputs, strict=False)]
        if "input" in told:
            entries.append((told["input"], job.inputs[0]))
        for each, own in entries:
            for name in ORIGIN:
                each.pop(name, None)
            each |= {"name": own.name, **origin_of(own)}
        return self._put_manifest(told, attempt)

    def _put_manifest(self, told: dict[str, Any], attempt: Attempt) -> str:
        key = f"{attempt.lease.prefix}/{MANIFEST}"
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            path = Path(folder) / MANIFEST
            path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            self._put(key, path, "application/json")
        return key

    def _put(self, key: str, path: Path, content_type: str) -> None:
        def put() -> None:
            with path.open("rb") as file:
                self.storage.put(key, file, content_type)

        self.patiently(put)
