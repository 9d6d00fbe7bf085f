"""The work of the kind `separate`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from stemsvc.kinds.separate.kind import SeparateParams
from stemsvc.kinds.separate.stems import without_drums
from workers.audio.decode_process import decode_apart
from workers.audio.encode import Encoded
from workers.audio.rate import resample_track
from workers.audio.track import Track
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile
from workers.kinds.separate.separate import Planned, Separated, planned, separate_file


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
        preview=attempt.preview,
    )
    for warning in done.track.warnings:
        attempt.warn(warning.code, warning.detail)
    plan = planned(params, attempt.encoding)
    files = {name: _file(encoded, plan[name]) for name, encoded in done.outputs.items()}
    clipped: Counter[str] = Counter()  # each format clips the same samples again
    for name, encoded in done.outputs.items():
        clipped[plan[name].encoding.format] += encoded.clipped_samples
    facts: dict[str, Any] = {"clipped_samples": max(clipped.values())}
    if params.analyze:
        facts["analysis"] = _analysis(done, attempt)
    return Made(files, done.track.facts, facts, named=done.named, previews=done.previews)


def _analysis(done: Separated, attempt: Attempt) -> dict[str, Any]:
    """Facts of the track; another job may have the device meanwhile."""
    from workers.audio.analysis.analysis import analyse

    def decoded(name: str) -> Track:
        spool = attempt.folder / f"analysis-{name}.f32"
        return decode_apart(done.outputs[name].path, spool, attempt.limits, lambda: attempt.report("analyzing"))

    stems = [decoded(name) for name in without_drums(done.outputs)]
    harmony = [resample_track(stem, done.track.sample_rate, stem.path.with_suffix(".resampled")) for stem in stems]
    found = analyse(done.track, lambda read, of: attempt.report("analyzing", read, of), harmony)
    return {**found.brief, "stems": "separated" if harmony else "none"}


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
