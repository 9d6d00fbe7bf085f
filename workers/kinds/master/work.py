"""The work of the kind `master`: measure, shape, find the gain, limit, encode. Memory does not grow with the song."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from stemsvc.kinds.master import REFERENCE, MasterParams, Preset
from workers.audio.decode_all import decode_all
from workers.audio.encode import CODECS, Encoded, Encoder, carried_rate
from workers.audio.rate import resample_track
from workers.audio.tags import NONE
from workers.audio.track import FRAME_BYTES, Track
from workers.audio.writers import Writers
from workers.host.scratch import check_room
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile
from workers.kinds.master import match
from workers.kinds.master.level import Levelled, level
from workers.kinds.master.measure import BLOCK, Measured, measure
from workers.kinds.master.silence import without_silence
from workers.kinds.master.spool import Spool
from workers.kinds.master.stages import Compression, Match, Metered, Saturation, Stage, Tone, Width

UNMEASURED = -14.0  # LUFS that a song without a loudness is taken for


def master(params: MasterParams, inputs: Sequence[LocalInput], attempt: Attempt) -> Made:
    """The mastered song. Raises what decoder and encoder do, and `TransientError` `scratch_full`."""
    tracks = decode_all(
        [each.path for each in inputs],
        attempt.folder,
        attempt.limits,
        lambda done, of: attempt.report("decoding", done, of),
    )
    for each, track in zip(inputs, tracks, strict=True):
        for warning in track.warnings:
            attempt.warn(warning.code, f"{each.name}: {warning.detail}")
    song, mono = tracks[0], tracks[0].channels == 1
    reference = next((track for each, track in zip(inputs, tracks, strict=True) if each.role == REFERENCE), None)
    encoding = attempt.encoding
    rate = carried_rate(CODECS[encoding.format, encoding.bit_depth], encoding.sample_rate or song.sample_rate)
    check_room(attempt.folder, 5 * round(song.seconds * rate) * FRAME_BYTES + attempt.limits.min_free_bytes)
    with attempt.computing(song.seconds):
        song = resample_track(song, rate, attempt.folder / "resampled.f32", lambda: attempt.report("resampling"))
        silence = without_silence(song, params, attempt.folder / "sounding.f32", attempt)
        song = silence.song
        before = measure(song, mono, _tick("measuring", attempt))
        heard = measure(reference, reference.channels == 1, _tick("measuring", attempt)) if reference else None
        wanted = params.wanted(mono)
        target = wanted.loudness
        if heard is not None and params.loudness is None and match.loudness(heard) is not None:
            target = match.loudness(heard)
        bands = match.tone(before, rate, heard, reference.sample_rate) if reference and heard else None
        stages = Metered(_stages(params, wanted, before, heard, bands, rate, mono))
        shaped = _shaped(song, stages, attempt)
        levelled = level(shaped, mono, target, wanted.ceiling_db, attempt)
        encoded = _encoded(levelled, song, mono, attempt)
    facts = {
        "preset": params.preset,
        "intensity": params.intensity,
        "before": before.facts,
        "after": {**levelled.after.facts, "true_peak_db": levelled.true_peak_db},
        "silence": silence.facts,
        "stages": stages.facts,
        **levelled.facts,
        "reference": heard.facts if heard else None,
    }
    length = {"duration_seconds": encoded.seconds, "frames": encoded.frames, "sample_rate": encoded.sample_rate}
    made = MadeFile(encoded.path, encoding.content_type, {**length, **encoded.facts}, encoded.sha256)
    return Made({"master": made}, tracks[0].facts, facts)


def _tick(stage: str, attempt: Attempt) -> Callable[[int, int], None]:
    return lambda done, of: attempt.report(stage, done, of)


def _stages(
    params: MasterParams,
    wanted: Preset,
    before: Measured,
    heard: Measured | None,
    bands: NDArray[np.float64] | None,
    rate: int,
    mono: bool,
) -> list[Stage]:
    """The stages that change anything; none at intensity 0."""
    much = params.intensity
    found: list[Stage] = []
    if not much or before.peak == 0:
        return found
    if bands is not None:
        found.append(Match(match.convolver(bands, rate, much), bands, much))
    gains = [much * each for each in (wanted.low_db, wanted.mid_db, wanted.high_db)]
    if heard is not None:  # the reference has the say where the client has none
        asked = (params.low_db, params.mid_db, params.high_db)
        gains = [much * (each or 0.0) for each in asked]
    if any(gains):
        found.append(Tone(rate, *gains))
    loudness = UNMEASURED if before.loudness is None else before.loudness
    if wanted.compression:
        found.append(Compression(rate, much * wanted.compression, loudness))
    if wanted.saturation:
        found.append(Saturation(much * wanted.saturation, before.peak))
    factor = wanted.width if heard is None or params.width is not None else match.width(before, heard)
    if factor != 1 and not mono:
        found.append(Width(rate, 1 + much * (factor - 1)))
    return found


def _shaped(song: Track, stages: Metered, attempt: Attempt) -> Track:
    """The song after the stages, on the scratch disk; the song itself where there are none."""
    if not stages.facts:
        return song
    with Spool(attempt.folder / "shaped.f32", song) as spool:
        for start in range(0, song.frames, BLOCK):
            attempt.report("mastering", start, song.frames)
            spool.write(stages.process(song.read(start, min(start + BLOCK, song.frames))))
    return spool.track


def _encoded(levelled: Levelled, song: Track, mono: bool, attempt: Attempt) -> Encoded:
    encoding = attempt.encoding
    path = attempt.folder / f"master.{encoding.extension}"
    tags = song.tags if encoding.tags else NONE

    def make() -> Encoder:
        return Encoder(path, song.sample_rate, encoding.format, encoding.bit_depth, tags, 1 if mono else 2)

    with Writers({"master": make}, {"master": "master"}) as writers:
        for number, block in enumerate(levelled.blocks()):
            attempt.report("encoding", number * BLOCK, song.frames)
            writers.write({"master": block})
        return writers.close()["master"]
