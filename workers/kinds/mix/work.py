"""The work of the kind `mix`: decode, bring to one rate, add, encode. Memory does not grow with the tracks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.levels import decibels
from stemsvc.kinds.mix import MixParams
from workers.audio.decode_all import decode_all
from workers.audio.encode import Encoded, Encoder
from workers.audio.loudness import Loudness
from workers.audio.rate import resample_track
from workers.audio.track import FRAME_BYTES, Track, scratch_errors
from workers.audio.true_peak import TruePeak
from workers.audio.writers import Writers
from workers.host.scratch import check_room
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile
from workers.kinds.mix.desk import BLOCK, Desk
from workers.kinds.mix.strip import Placed, factor

NORMAL_DBTP = -1.0
MOST_LIFT_DB = 60.0  # of `balanced` and `normalise`: what is quieter is noise
Sound = NDArray[np.float32]


def mix(params: MixParams, inputs: Sequence[LocalInput], attempt: Attempt) -> Made:
    """One file of all inputs. Raises what decoder and encoder do, and `TransientError` `scratch_full`."""
    tracks = _decoded(inputs, attempt)
    rate = attempt.encoding.sample_rate or max(track.sample_rate for track in tracks)
    bytes_needed = sum(round(track.seconds * rate) for track in tracks if track.sample_rate != rate) * FRAME_BYTES
    seconds = max(track.seconds + own.start for track, own in zip(tracks, params.tracks, strict=True))
    check_room(attempt.folder, bytes_needed + 2 * round(seconds * rate) * FRAME_BYTES + attempt.limits.min_free_bytes)
    with attempt.computing(seconds):
        placed = _placed(params, tracks, rate, attempt)
        balance = _balance(params, placed, attempt) if params.profile == "balanced" else [0.0] * len(placed)
        desk = Desk(placed, params, balance)
        blocks, lift = _reported(desk, attempt), 0.0
        if params.normalise:
            spool, lift = _measured(blocks, attempt.folder / "mixed.f32", rate)
            blocks = _lifted(spool, lift, attempt)
        encoded = _encoded(blocks, attempt.folder, rate, attempt.encoding)
    _warn_of_clipping(encoded, attempt)
    facts = _facts(params, inputs, tracks, desk, lift)
    length = {"duration_seconds": encoded.seconds, "frames": encoded.frames, "sample_rate": encoded.sample_rate}
    made = MadeFile(encoded.path, attempt.encoding.content_type, {**length, **encoded.facts}, encoded.sha256)
    return Made({"mix": made}, {**tracks[0].facts, "duration_seconds": encoded.seconds}, facts)


def _decoded(inputs: Sequence[LocalInput], attempt: Attempt) -> list[Track]:
    paths = {each.sha256 or str(each.path): each.path for each in inputs}  # one file of several equal ones
    chosen = [paths[each.sha256 or str(each.path)] for each in inputs]
    tracks = decode_all(chosen, attempt.folder, attempt.limits, lambda done, of: attempt.report("decoding", done, of))
    for each, track in zip(inputs, tracks, strict=True):
        for warning in track.warnings:
            attempt.warn(warning.code, f"{each.name}: {warning.detail}")
    return tracks


def _placed(params: MixParams, tracks: Sequence[Track], rate: int, attempt: Attempt) -> list[Placed]:
    """The tracks at the mix's rate, each at its place."""
    converted: dict[Path, Track] = {}
    for number, track in enumerate(tracks):
        tick = partial(attempt.report, "resampling", number, len(tracks))
        tick()
        if track.path not in converted:
            converted[track.path] = resample_track(track, rate, track.path.with_name("resampled.f32"), tick)
    return [
        Placed(converted[track.path], round(own.start * rate)) for track, own in zip(tracks, params.tracks, strict=True)
    ]


def _balance(params: MixParams, placed: Sequence[Placed], attempt: Attempt) -> list[float]:
    """The gain that brings each audible track to the mean of their loudness; 0 for one without a loudness."""
    heard: dict[int, float] = {}
    for number, each in enumerate(placed):
        if params.audible(number):
            meter = Loudness(each.track.sample_rate)
            for start in range(0, each.track.frames, BLOCK):
                attempt.report("measuring", number, len(placed))
                meter.add(each.track.read(start, min(start + BLOCK, each.track.frames)))
            if (loudness := meter.integrated()) is not None:
                heard[number] = loudness
    mean = sum(heard.values()) / len(heard) if heard else 0.0
    wanted = [mean - heard.get(number, mean) for number in range(len(placed))]
    return [round(min(gain, MOST_LIFT_DB), 2) for gain in wanted]


def _reported(desk: Desk, attempt: Attempt) -> Iterator[Sound]:
    attempt.report("mixing", 0, desk.frames)
    done = 0
    for block in desk.blocks():
        yield block
        done += len(block)
        attempt.report("mixing", done, desk.frames)


def _measured(blocks: Iterator[Sound], path: Path, rate: int) -> tuple[Track, float]:
    """The blocks on the scratch disk, and the gain in dB that brings their true peak to `NORMAL_DBTP`."""
    meter, frames = TruePeak(rate), 0
    with scratch_errors(), path.open("wb") as file:
        for block in blocks:
            meter.add(block)
            frames += len(block)
            file.write(np.ascontiguousarray(block).tobytes())
    peak = decibels(meter.finish())
    lift = 0.0 if peak is None else min(NORMAL_DBTP - peak, MOST_LIFT_DB)
    return Track(path, "pcm_f32le", rate, 2, frames), lift


def _lifted(track: Track, lift: float, attempt: Attempt) -> Iterator[Sound]:
    for start in range(0, track.frames, BLOCK):
        attempt.report("encoding", start, track.frames)
        yield (track.read(start, min(start + BLOCK, track.frames)) * factor(lift)).astype(np.float32)


def _encoded(blocks: Iterator[Sound], folder: Path, rate: int, encoding: Encoding) -> Encoded:
    path = folder / f"mix.{encoding.extension}"
    with Writers({"mix": lambda: Encoder(path, rate, encoding.format, encoding.bit_depth)}, {"mix": "mix"}) as writers:
        for block in blocks:
            writers.write({"mix": block})
        return writers.close()["mix"]


def _warn_of_clipping(encoded: Encoded, attempt: Attempt) -> None:
    """Say that samples are beyond full scale, unless the format keeps them."""
    if encoded.peak <= 1 or attempt.encoding.bit_depth == "float32":
        return
    over = f"the peak of the mix is {decibels(encoded.peak):+.2f} dBFS ({decibels(encoded.true_peak):+.2f} dBTP)"
    attempt.warn("mix_clips", f"{over}; {encoded.clipped_samples} samples are clipped")


def _facts(
    params: MixParams, inputs: Sequence[LocalInput], tracks: Sequence[Track], desk: Desk, lift: float
) -> dict[str, Any]:
    told = []
    for number, (each, track, own) in enumerate(zip(inputs, tracks, params.tracks, strict=True)):
        strip = desk.strips.get(number)
        told.append(
            {
                "name": own.name or each.output or each.name,
                "audible": strip is not None,
                "gain_db": round(strip.gain_db, 2) if strip else None,
                "start": own.start,
                "duration_seconds": track.seconds,
                "sample_rate": track.sample_rate,
                "channels": track.channels,
            }
        )
    return {
        "tracks": told,
        "pan_law": params.pan_law,
        "profile": params.profile,
        "gain_db": params.gain_db,
        "normalise_gain_db": round(lift, 2) if params.normalise else None,
    }
