"""The work of the kind `analyze`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stemsvc.kinds.analyze import AnalyzeParams
from workers.audio.analysis.analysis import Analysis, analyse
from workers.audio.decode_process import decode_apart
from workers.audio.encode import Encoder
from workers.audio.track import Track
from workers.kinds.analyze.click import write_click
from workers.kinds.analyze.picture import draw
from workers.kinds.analyze.stems import earlier, given, separated
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile


def analyze(params: AnalyzeParams, inputs: Sequence[LocalInput], attempt: Attempt) -> Made:
    """Find what can be heard in the first input. Raises what the decoder raises, and `stems_mismatch`."""
    source = inputs[0].path
    attempt.report("decoding")
    track = decode_apart(
        source, attempt.folder / "decoded.f32", attempt.limits, lambda: attempt.report("decoding"), params.part
    )
    for warning in track.warnings:
        attempt.warn(warning.code, warning.detail)
    harmony, origin = _stems(params, inputs, track, attempt)
    with attempt.computing(track.seconds):
        if params.use_stems == "always" and not harmony:
            harmony = separated(source, params, attempt)
            origin = "separated" if harmony else origin
        found = analyse(track, lambda done, of: attempt.report("analyzing", done, of), harmony)
        files = _files(found, track, params, attempt, origin)
    return Made(files, track.facts, {**found.brief, "stems": origin})


def _stems(
    params: AnalyzeParams, inputs: Sequence[LocalInput], track: Track, attempt: Attempt
) -> tuple[list[Track], str]:
    """The stems that are there, and where they come from."""
    if params.use_stems == "never":
        return [], "none"
    if harmony := given(inputs, track, attempt):
        return harmony, "given"
    harmony = earlier(inputs[0], track, attempt)
    return harmony, "earlier" if harmony else "none"


def _files(found: Analysis, track: Track, params: AnalyzeParams, attempt: Attempt, origin: str) -> dict[str, MadeFile]:
    whole = {**found.facts, "stems": origin}
    files = {"analysis": _text(attempt, "analysis.json", _json(whole), "application/json")}
    if params.picture:
        files["picture"] = _text(attempt, "picture.svg", draw(found), "image/svg+xml")
    if params.click != "none":
        files["click"] = _click(found, track, params, attempt)
    return files


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _text(attempt: Attempt, name: str, text: str, content_type: str) -> MadeFile:
    path = attempt.folder / name
    path.write_text(text, encoding="utf-8")
    return MadeFile(path, content_type)


def _click(found: Analysis, track: Track, params: AnalyzeParams, attempt: Attempt) -> MadeFile:
    encoding = attempt.encoding
    path = attempt.folder / f"click.{encoding.extension}"
    encoder = Encoder(path, track.sample_rate, encoding.format, encoding.bit_depth)
    encoded = write_click(
        encoder,
        track,
        found.pulse.beats,
        found.pulse.downbeats,
        mixed=params.click == "mixed",
        on_block=lambda done: attempt.report("encoding", done, track.frames),
    )
    facts = {"duration_seconds": encoded.seconds, "frames": encoded.frames, "sample_rate": encoded.sample_rate}
    return MadeFile(path, encoding.content_type, {**facts, **encoded.facts}, encoded.sha256)
