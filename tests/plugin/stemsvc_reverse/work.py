"""The work of the kind `reverse`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from stemsvc_reverse.kind import ReverseParams, ReverseStumbled
from workers.audio.decode_process import decode_apart
from workers.audio.encode import Encoder
from workers.audio.rate import resample_track
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile

BLOCK = 1 << 16  # frames: memory stays flat, however long the track is


def reverse(params: ReverseParams, inputs: Sequence[LocalInput], attempt: Attempt) -> Made:
    """The input's samples, the last one first. Raises what decoder and encoder do, and `reverse_stumbled`."""
    attempt.report("decoding")
    track = decode_apart(
        inputs[0].path, attempt.folder / "decoded.f32", attempt.limits, lambda: attempt.report("decoding")
    )
    for warning in track.warnings:
        attempt.warn(warning.code, warning.detail)
    encoding = attempt.encoding
    heard = resample_track(track, encoding.sample_rate or track.sample_rate, attempt.folder / "heard.f32")
    path = attempt.folder / f"reversed.{encoding.extension}"
    encoder = Encoder(path, heard.sample_rate, encoding.format, encoding.bit_depth)
    with attempt.computing(track.seconds):
        if attempt.number <= params.stumbles:
            raise ReverseStumbled(f"attempt {attempt.number} was asked to fail")
        until = time.monotonic() + params.pause
        while time.monotonic() < until:
            attempt.report("pausing")
            time.sleep(0.1)
        for stop in range(heard.frames, 0, -BLOCK):
            attempt.report("reversing", heard.frames - stop, heard.frames)
            encoder.write(heard.read(max(0, stop - BLOCK), stop)[::-1])
    encoded = encoder.close()
    facts = {"duration_seconds": encoded.seconds, "frames": encoded.frames, "sample_rate": encoded.sample_rate}
    made = MadeFile(path, encoding.content_type, {**facts, **encoded.facts}, encoded.sha256)
    return Made({"reversed": made}, source=track.facts, facts={"frames_turned": heard.frames})
