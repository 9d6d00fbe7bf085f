"""Specs and jobs of separations, as acceptance makes them, in one line each."""

from __future__ import annotations

from typing import Any

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.part import WHOLE, Part
from stemsvc.jobs.record import Job, JobState
from stemsvc.jobs.spec import Envelope, Input, JobSpec
from stemsvc.kinds.separate.kind import SeparateParams, separation
from stemsvc.kinds.separate.options import SeparationOptions


def spec_of(
    model: str = "demo",
    device: str = "auto",
    stems: tuple[str, ...] = (),
    format: str = "flac",
    bit_depth: str | None = None,
    residual: bool = False,
    options: SeparationOptions | None = None,
    filename_template: str = "",
    sample_rate: int | None = None,
    part: Part = WHOLE,
    channels: str = "stereo",
    **envelope: Any,
) -> JobSpec:
    params = SeparateParams(model, stems, residual, options or SeparationOptions(), part, channels)
    encoding = Encoding(format, bit_depth, sample_rate, filename_template)
    return separation(params, Envelope(device=device, **envelope), encoding)


def job_of(
    job_id: str,
    state: JobState,
    spec: JobSpec,
    pool: str,
    key: str,
    name: str,
    bytes: int = 1,
    url: str = "",
    **changes: Any,
) -> Job:
    return Job(job_id, state, spec, pool, (Input(name, key, bytes, url=url),), **changes)


def params_of(spec: JobSpec | Job) -> SeparateParams:
    from stemsvc.kinds.separate.kind import KIND

    return KIND.read(spec.params)
