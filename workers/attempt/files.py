"""From files on scratch disk to objects that a job's row names: stems, manifest; or an earlier job's, copied."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from stemsvc.errors import ObjectMissing
from stemsvc.jobs.record import Job
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.leases import Origin
from stemsvc.storage import Storage
from workers.attempt import manifest
from workers.attempt.attempt import Attempt
from workers.attempt.lease import LeaseKeeper
from workers.attempt.retry import Retries
from workers.kinds.base import Made

log = structlog.get_logger()
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Result:
    """What a job's row is to say of its result."""

    source: dict[str, Any]
    outputs: dict[str, dict[str, Any]]
    origin: Origin
    facts: dict[str, Any]
    noun: str  # what the kind makes, for people
    device: str

    @property
    def seconds(self) -> float:
        """How long the track plays; 0 where there is none."""
        return float(self.source.get("duration_seconds", 0.0))


@dataclass(frozen=True)
class Results:
    """Puts results where they belong. A storage that is away is asked again and again: nothing need be made anew."""

    scratch: Path
    store: JobStore
    storage: Storage
    retries: Retries

    def keep(self, attempt: Attempt, made: Made, told: dict[str, Any], origin: Origin) -> Result:
        """Upload the files, and what is `told` of them as the manifest."""
        outputs: dict[str, dict[str, Any]] = {}
        for name, file in made.files.items():
            key = f"{attempt.lease.prefix}/{file.path.name}"
            self._put(key, file.path, file.content_type, attempt.keeper)
            own = {"key": key, "bytes": file.bytes, "sha256": file.digest, "content_type": file.content_type}
            outputs[name] = {**file.facts, **own}
            attempt.report("uploading")
        filled = replace(origin, manifest_key=self._put_manifest(told, attempt))
        return Result(dict(made.source), outputs, filled, dict(made.facts), attempt.of.kind.noun, attempt.device)

    def take(self, attempt: Attempt, origin: Origin) -> Result | None:
        """The result of an earlier job that was the same, copied; None where there is none any more."""
        found = self.store.find_cached(attempt.job.owner, origin.cache_key) if origin.cache_key else None
        if found is None or found.manifest_key is None:
            return None
        attempt.report("uploading")
        try:
            outputs = {name: self._copied(output, attempt) for name, output in found.outputs.items()}
            key = self._copied_manifest(found, attempt)
        except ObjectMissing:  # it was deleted, or expired, in this moment
            self.storage.delete(f"{attempt.lease.prefix}/")
            return None
        log.info("taken from an earlier job", earlier=found.id)
        taken = replace(origin, cached=True, manifest_key=key)
        return Result(dict(found.source), outputs, taken, dict(found.facts), attempt.of.kind.noun, attempt.device)

    def _copied(self, output: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
        key = f"{attempt.lease.prefix}/{output['key'].rsplit('/', 1)[-1]}"
        self.retries.patiently(lambda: self.storage.copy(output["key"], key), attempt.keeper.wait)
        return {**output, "key": key}

    def _copied_manifest(self, found: Job, attempt: Attempt) -> str:
        """The earlier job's manifest with this one's names in it."""
        job = attempt.job
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            path = Path(folder) / MANIFEST
            self.retries.patiently(lambda: self.storage.fetch(str(found.manifest_key), path), attempt.keeper.wait)
            told = json.loads(path.read_text(encoding="utf-8"))
        told |= {"job_id": job.id, "attempt": job.attempt, "cached_from": found.id}
        for each, own in zip(told.get("inputs", ()), job.inputs, strict=False):
            each["name"] = own.name
        if "input" in told:
            told["input"]["name"] = job.name
        return self._put_manifest(told, attempt)

    def _put_manifest(self, told: dict[str, Any], attempt: Attempt) -> str:
        key = f"{attempt.lease.prefix}/{MANIFEST}"
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            path = manifest.write(told, Path(folder) / MANIFEST)
            self._put(key, path, "application/json", attempt.keeper)
        return key

    def _put(self, key: str, path: Path, content_type: str, keeper: LeaseKeeper) -> None:
        def put() -> None:
            with path.open("rb") as file:
                self.storage.put(key, file, content_type)

        self.retries.patiently(put, keeper.wait)
