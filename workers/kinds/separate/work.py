"""The work of the kind `separate`."""

from __future__ import annotations

from collections.abc import Sequence

from stemsvc.kinds.separate.kind import SeparateParams
from workers.audio.encode import Encoded
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile
from workers.kinds.separate.separate import separate_file


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
    )
    for warning in done.track.warnings:
        attempt.warn(warning.code, warning.detail)
    files = {name: _file(encoded, attempt.encoding.content_type) for name, encoded in done.outputs.items()}
    facts = {"clipped_samples": sum(encoded.clipped_samples for encoded in done.outputs.values())}
    return Made(files, done.track.facts, facts)


def _file(encoded: Encoded, content_type: str) -> MadeFile:
    facts = {
        "duration_seconds": encoded.seconds,
        "frames": encoded.frames,
        "sample_rate": encoded.sample_rate,
        **encoded.facts,
    }
    return MadeFile(encoded.path, content_type, facts, encoded.sha256)
