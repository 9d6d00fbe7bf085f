"""The kind `transcribe`: stems or a song in, their notes out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from stemsvc.errors import BadOptions
from stemsvc.kinds.base import Kind, Role
from stemsvc.kinds.transcribe.stems import check_stems

if TYPE_CHECKING:
    from stemsvc.models.catalog import Catalog

MOST_INPUTS = 16  # MIDI has as many channels
OFF = "off"
# Steps of a grid, in beats of a quarter note.
GRIDS = {OFF: 0.0, "1/4": 1.0, "1/8": 0.5, "1/8t": 1 / 3, "1/16": 0.25, "1/16t": 1 / 6, "1/32": 0.125}
MIN_BPM, MAX_BPM = 20.0, 400.0
KEY = re.compile(r"[A-G][#b]?( (major|minor))?|[A-G][#b]?m")


@dataclass(frozen=True)
class TranscribeParams:
    """How to write the notes down.

    `stems` names what each input is, from `stems.STEMS`; empty: as the inputs are called. `quantise` is a key of
    `GRIDS`, `strength` how far notes move to it, 0 to 1. `bpm` and `key` are found in the music where they are open.
    `sensitivity` is from 0, sure notes alone, to 1.
    """

    stems: tuple[str, ...] = ()
    quantise: str = OFF
    strength: float = 1.0
    bpm: float | None = None
    key: str = ""
    sensitivity: float = 0.5


class Transcribe(Kind[TranscribeParams]):
    """Writing down the notes of stems, as MIDI, JSON and a picture."""

    name = "transcribe"
    form = "api.schemas.kinds.transcribe:TranscribeForm"
    work = "workers.kinds.transcribe.work:transcribe"
    roles = (Role("source", 1, MOST_INPUTS),)
    encodes = False
    packages = ("av", "mido", "numpy", "openvino", "safetensors", "scipy", "soxr")
    advice = "send a shorter track, or fewer"
    version = 2  # 2: other strokes of drums, one of a family; tempo of stems that rest

    def read(self, stored: Mapping[str, Any]) -> TranscribeParams:
        """See `Kind`."""
        known = {name: stored[name] for name in asdict(TranscribeParams()) if stored.get(name) is not None}
        return TranscribeParams(**{**known, "stems": tuple(known.get("stems", ()))})

    def stored(self, params: TranscribeParams) -> dict[str, Any]:
        """See `Kind`."""
        return {**asdict(params), "stems": list(params.stems)}

    def check(self, params: TranscribeParams, inputs: Sequence[str], catalog: Catalog) -> TranscribeParams:
        """See `Kind`. Raises `UsageError` `bad_options`."""
        check_stems(params.stems, len(inputs))
        if params.quantise not in GRIDS:
            raise BadOptions(f"quantise {params.quantise!r} is not one of {', '.join(GRIDS)}")
        for name, value in (("strength", params.strength), ("sensitivity", params.sensitivity)):
            if not 0 <= value <= 1:  # also what is no number
                raise BadOptions(f"{name} is {value}; it may be from 0 to 1")
        if params.bpm is not None and not (math.isfinite(params.bpm) and MIN_BPM <= params.bpm <= MAX_BPM):
            raise BadOptions(f"bpm is {params.bpm}; it may be from {MIN_BPM:g} to {MAX_BPM:g}")
        if params.key and not KEY.fullmatch(params.key):
            raise BadOptions(f"key {params.key!r} is none such as `C`, `F# minor` or `Bbm`")
        return params

    def cost(self, params: TranscribeParams, seconds: float, catalog: Catalog) -> float:
        """See `Kind`: a second of a stem takes a fiftieth of one, and a job has four stems, more often than not."""
        return 1.0 + 0.08 * seconds

    def heard(self, params: TranscribeParams) -> dict[str, Any]:
        """See `Kind`. Where nothing is quantised, how strongly does not matter."""
        return self.stored(replace(params, strength=1.0) if params.quantise == OFF else params)


KIND = Transcribe()
