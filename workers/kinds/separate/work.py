"""The work of the kind `separate`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stemsvc.kinds.separate.kind import SeparateParams
from workers.audio.encode import Encoded
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile
from workers.kinds.separate.separate import Planned, planned, separate_file


def separate(params: SeparateParams, inputs: Sequence[LocalInput], attempt: Attempt) -> Made:
    """Split the one input into the requested outputs. Raises what `separate_file` raises."""
    done = separate_file(
        inputs[0].path,
        attempt.folder,
        params,
        attempt.encoding,
        attempt.catalog.get(params.model),
        attempt.device,
        attempt.models,
        attempt.limits,
        attempt.report,
        computing=lambda track: attempt.computing(track.seconds),
        name=inputs[0].name,
    )
    for warning in done.track.warnings:
        attempt.warn(warning.code, warning.detail)
    plan = planned(params, attempt.encoding)
    files = {name: _file(encoded, plan[name]) for name, encoded in done.outputs.items()}
    clipped: Counter[str] = Counter()  # each format clips the same samples again
    for name, encoded in done.outputs.items():
        clipped[plan[name].encoding.format] += encoded.clipped_samples
    return Made(files, done.track.facts, {"clipped_samples": max(clipped.values())}, named=done.named)


def _file(encoded: Encoded, made: Planned) -> MadeFile:
    facts = {
        "stem": made.output,
        "format": made.encoding.format,
        "duration_seconds": encoded.seconds,
        "frames": encoded.frames,
        "sample_rate": encoded.sample_rate,
        **encoded.facts,
    }
    return MadeFile(encoded.path, made.encoding.content_type, facts, encoded.sha256)
