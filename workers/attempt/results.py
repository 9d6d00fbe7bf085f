"""From files on scratch disk to objects that a job's row names: stems, manifest; or an earlier job's, copied."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from stemsvc.errors import ObjectMissing
from stemsvc.jobs.record import CONTENT_TYPES, Job, Lease
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.leases import Origin
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from workers.attempt import manifest
from workers.attempt.lease import LeaseKeeper
from workers.attempt.retry import patiently
from workers.audio.track import Track
from workers.kinds.separate.separate import Separated

log = structlog.get_logger()
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Result:
    """What a job's row is to say of its result."""

    source: dict[str, Any]
    outputs: dict[str, dict[str, Any]]
    origin: Origin


@dataclass(frozen=True)
class Results:
    """Puts results where they belong."""

    settings: Settings
    store: JobStore
    storage: Storage

    def keep(
        self, job: Job, lease: Lease, separated: Separated, told: dict[str, Any], origin: Origin, keeper: LeaseKeeper
    ) -> Result:
        """Upload the stems, and what is `told` of them as the manifest."""
        outputs: dict[str, dict[str, Any]] = {}
        for name, encoded in separated.outputs.items():
            key = f"{lease.prefix}/{encoded.path.name}"
            self._put(key, encoded.path, CONTENT_TYPES[job.options.format], keeper)
            outputs[name] = {
                "key": key,
                "bytes": encoded.bytes,
                "sha256": encoded.sha256,
                "duration_seconds": encoded.seconds,
                "frames": encoded.frames,
                "sample_rate": encoded.sample_rate,
                **encoded.facts,
            }
            keeper.report("uploading", 0, 0)
        folder = next(iter(separated.outputs.values())).path.parent
        key = f"{lease.prefix}/{MANIFEST}"
        self._put(key, manifest.write(told, folder / MANIFEST), "application/json", keeper)
        filled = Origin(origin.input_sha256, origin.cache_key, manifest_key=key)
        return Result(facts(separated.track), outputs, filled)

    def take(self, job: Job, lease: Lease, origin: Origin, keeper: LeaseKeeper) -> Result | None:
        """The result of an earlier job that was the same, copied; None where there is none any more."""
        if not (self.settings.result_cache and job.options.cache and origin.cache_key):
            return None
        found = self.store.find_cached(job.owner, origin.cache_key)
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
        taken = Origin(origin.input_sha256, origin.cache_key, cached=True, manifest_key=key)
        return Result(dict(found.source), outputs, taken)

    def _copied(self, output: dict[str, Any], lease: Lease, keeper: LeaseKeeper) -> dict[str, Any]:
        key = f"{lease.prefix}/{output['key'].rsplit('/', 1)[-1]}"
        patiently(self.settings, lambda: self.storage.copy(output["key"], key), keeper.wait)
        return {**output, "key": key}

    def _copied_manifest(self, found: Job, job: Job, lease: Lease, keeper: LeaseKeeper) -> str:
        """The earlier job's manifest with this one's name in it."""
        key = f"{lease.prefix}/{MANIFEST}"
        with tempfile.TemporaryDirectory(dir=self.settings.resolved_scratch_dir) as folder:
            path = Path(folder) / MANIFEST
            patiently(self.settings, lambda: self.storage.fetch(str(found.manifest_key), path), keeper.wait)
            told = json.loads(path.read_text(encoding="utf-8"))
            told |= {"job_id": job.id, "attempt": lease.attempt, "cached_from": found.id}
            told["input"]["name"] = job.input_name
            self._put(key, manifest.write(told, path), "application/json", keeper)
        return key

    def _put(self, key: str, path: Path, content_type: str, keeper: LeaseKeeper) -> None:
        """Upload one file; a storage that is away is asked again and again, for nothing needs to be separated anew."""

        def put() -> None:
            with path.open("rb") as file:
                self.storage.put(key, file, content_type)

        patiently(self.settings, put, keeper.wait)


def facts(track: Track) -> dict[str, Any]:
    """What a track turned out to be."""
    return {
        "codec": track.codec,
        "sample_rate": track.sample_rate,
        "channels": track.channels,
        "frames": track.frames,
        "duration_seconds": track.seconds,
        "broken_packets": track.broken_packets,
    }
