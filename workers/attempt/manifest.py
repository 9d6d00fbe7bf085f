"""How a job's stems were made, for who wants to make them again or to trust them: `manifest.json` beside them."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stemsvc.jobs.record import Job
from stemsvc.models.catalog import ModelEntry
from workers.audio.encode import Encoded
from workers.kinds.separate.separate import Separated

SCHEMA = "https://stemsvc.dev/manifest/1"
PACKAGES = ("stemsvc", "demucs", "torch", "openvino", "numpy", "av", "soxr", "safetensors")


def manifest(
    job: Job, entry: ModelEntry, weights: list[str], input_sha256: str, separated: Separated, device: str,
    timings: dict[str, float], price_per_hour: float,
) -> dict[str, Any]:  # fmt: skip
    """The manifest of one attempt that succeeded; `timings` are seconds by stage."""
    options = asdict(job.options)
    for private in (
        "metadata",
        "webhook_url",
        "webhook_events",
        "source_url",
        "filename_template",
        "priority",
        "cache",
    ):
        options.pop(private)
    track = separated.track
    device_seconds = timings.get("separating", 0.0)
    return {
        "schema": SCHEMA,
        "job_id": job.id,
        "attempt": job.attempt,
        "model": {"name": entry.name, "licence": entry.licence, "weights_sha256": weights},
        "options": options,
        "device": device,
        "versions": {**versions(), "python": platform.python_version()},
        "input": {
            "name": job.input_name, "bytes": job.input_bytes, "sha256": input_sha256, "codec": track.codec,
            "sample_rate": track.sample_rate, "channels": track.channels, "frames": track.frames,
            "broken_packets": track.broken_packets,
        },
        "outputs": {name: _output(encoded) for name, encoded in separated.outputs.items()},
        "timings_seconds": {stage: round(seconds, 3) for stage, seconds in timings.items()},
        "device_seconds": round(device_seconds, 3),
        "cost": round(device_seconds / 3600 * price_per_hour, 6),
    }  # fmt: skip


def write(content: dict[str, Any], path: Path) -> Path:
    """The manifest as a file."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def versions() -> dict[str, str]:
    """Of the packages whose code the samples went through."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _output(encoded: Encoded) -> dict[str, Any]:
    return {
        "file": encoded.path.name,
        "bytes": encoded.bytes,
        "sha256": encoded.sha256,
        "sample_rate": encoded.sample_rate,
        "frames": encoded.frames,
        **encoded.facts,
    }
