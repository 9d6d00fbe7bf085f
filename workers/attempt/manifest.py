"""How a job's files were made, for who wants to make them again or to trust them: `manifest.json` beside them."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from stemsvc.jobs.record import Job
from stemsvc.jobs.spec import Input
from stemsvc.jobs.warnings import to_json
from workers.attempt.attempt import Attempt
from workers.attempt.spending import Spending
from workers.kinds.base import LocalInput, Made, MadeFile

SCHEMA = "https://stemsvc.dev/manifest/1"
PACKAGES = ("stemsvc", "demucs", "torch", "openvino", "numpy", "av", "soxr", "safetensors")
ORIGIN = ("from_job", "from_output")  # of an input that is a file of another job
UNSAID = ("duration_seconds",)  # of a track: its frames and its rate tell


def manifest(attempt: Attempt, made: Made, inputs: Sequence[LocalInput], spending: Spending) -> dict[str, Any]:
    """The manifest of one attempt that succeeded."""
    job, kind, params, watch = attempt.job, attempt.of.kind, attempt.of.params, attempt.watch
    encoding = asdict(attempt.encoding)
    del encoding["filename_template"]
    asked = {**kind.mirrored(params), **(encoding if kind.encodes else {}), "device": job.envelope.device}
    told = {
        "schema": SCHEMA,
        "job_id": job.id,
        "attempt": job.attempt,
        "kind": job.kind,
        "params": kind.stored(params),
        "model": _model(attempt),
        "options": asked,  # params and encoding in one, as release 0.1 wrote them
        "device": attempt.device,
        "versions": {**versions(kind.packages), "python": platform.python_version()},
        "inputs": [_input(job, number, each) for number, each in enumerate(inputs)],
        "outputs": {name: _output(file) for name, file in made.files.items()},
        "previews": {name: _output(file) for name, file in made.previews.items()},
        "facts": dict(made.facts),
        "warnings": to_json((*job.warnings, *attempt.warnings)),
        "timings_seconds": {stage: round(seconds, 3) for stage, seconds in watch.seconds.items()},
        "device_seconds": round(watch.device_seconds, 3),
        "cost": round(spending.cost(watch.device_seconds), 6),
    }
    if inputs:
        source = {name: value for name, value in made.source.items() if name not in UNSAID}
        told["input"] = {**_input(job, 0, inputs[0]), **source}
    return told


def versions(more: Sequence[str] = ()) -> dict[str, str]:
    """Of the packages whose code the samples went through."""
    found: dict[str, str] = {}
    for name in dict.fromkeys((*PACKAGES, *more)):
        if version := _version(name):
            found[name] = version
    return found


@functools.cache
def _version(name: str) -> str | None:
    """Of a package; None where it is not installed. To read it from its file takes some milliseconds."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _model(attempt: Attempt) -> dict[str, Any] | None:
    needs, catalog = attempt.of.needs, attempt.catalog
    if needs.generator is None and needs.model is None:
        return None
    entry = catalog.generators.get(needs.generator) if needs.generator else catalog.get(needs.model or "")
    return {"name": entry.name, "licence": entry.licence, "weights_sha256": attempt.weights() or []}


def _input(job: Job, number: int, each: LocalInput) -> dict[str, Any]:
    own = job.inputs[number]
    return {"role": each.role, "name": each.name, "bytes": own.bytes, "sha256": each.sha256, **origin_of(own)}


def origin_of(input: Input) -> dict[str, str]:
    """The job and the output that an input was copied from; nothing where it came otherwise."""
    return {name: getattr(input, name) for name in ORIGIN} if input.from_job else {}


def _output(file: MadeFile) -> dict[str, Any]:
    return {"file": file.path.name, "bytes": file.bytes, "sha256": file.digest, **file.facts}
