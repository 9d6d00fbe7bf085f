"""From files on scratch disk to objects that a job's row names: stems, manifest; or an earlier job's, copied."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from stemsvc.errors import ObjectMissing
from stemsvc.jobs.record import Job, Lease
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.leases import Origin
from stemsvc.kinds import registry
from stemsvc.storage import Storage
from workers.attempt import manifest
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
    noun: str = "files"

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

    def keep(
        self, lease: Lease, made: Made, told: dict[str, Any], origin: Origin, keeper: LeaseKeeper, noun: str
    ) -> Result:
        """Upload the files, and what is `told` of them as the manifest."""
        outputs: dict[str, dict[str, Any]] = {}
        for name, file in made.files.items():
            key = f"{lease.prefix}/{file.path.name}"
            self._put(key, file.path, file.content_type, keeper)
            own = {"key": key, "bytes": file.bytes, "sha256": file.digest, "content_type": file.content_type}
            outputs[name] = {**file.facts, **own}
            keeper.report("uploading", 0, 0)
        key = self._put_manifest(lease, told, keeper)
        filled = replace(origin, manifest_key=key)
        return Result(dict(made.source), outputs, filled, dict(made.facts), noun)

    def take(self, job: Job, lease: Lease, origin: Origin, keeper: LeaseKeeper) -> Result | None:
        """The result of an earlier job that was the same, copied; None where there is none any more."""
        found = self.store.find_cached(job.owner, origin.cache_key) if origin.cache_key else None
        if found is None or found.manifest_key is None:
            return None
        keeper.report("uploading", 0, 0)
        try:
            outputs = {name: self._copied(output, lease, keeper) for name, output in found.outputs.items()}
            key = self._copied_manifest(found, job, lease, keeper)
        except ObjectMissing:  # it was deleted, or expired, in this moment
            self.storage.delete(f"{lease.prefix}/")
            return None
        log.info("taken from an earlier job", earlier=found.id)
        taken = replace(origin, cached=True, manifest_key=key)
        return Result(dict(found.source), outputs, taken, dict(found.facts), registry.get(job.kind).noun)

    def _copied(self, output: dict[str, Any], lease: Lease, keeper: LeaseKeeper) -> dict[str, Any]:
        key = f"{lease.prefix}/{output['key'].rsplit('/', 1)[-1]}"
        self.retries.patiently(lambda: self.storage.copy(output["key"], key), keeper.wait)
        return {**output, "key": key}

    def _copied_manifest(self, found: Job, job: Job, lease: Lease, keeper: LeaseKeeper) -> str:
        """The earlier job's manifest with this one's names in it."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            path = Path(folder) / MANIFEST
            self.retries.patiently(lambda: self.storage.fetch(str(found.manifest_key), path), keeper.wait)
            told = json.loads(path.read_text(encoding="utf-8"))
        told |= {"job_id": job.id, "attempt": lease.attempt, "cached_from": found.id}
        for number, each in enumerate(told.get("inputs", ())):
            each["name"] = job.inputs[number].name
        if "input" in told:
            told["input"]["name"] = job.name
        return self._put_manifest(lease, told, keeper)

    def _put_manifest(self, lease: Lease, told: dict[str, Any], keeper: LeaseKeeper) -> str:
        key = f"{lease.prefix}/{MANIFEST}"
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            self._put(key, manifest.write(told, Path(folder) / MANIFEST), "application/json", keeper)
        return key

    def _put(self, key: str, path: Path, content_type: str, keeper: LeaseKeeper) -> None:
        def put() -> None:
            with path.open("rb") as file:
                self.storage.put(key, file, content_type)

        self.retries.patiently(put, keeper.wait)
