"""The kind `export`: stems in, projects of audio workstations, `.stem.mp4` and packs out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stemsvc.errors import BadOptions
from stemsvc.jobs.filenames import visible
from stemsvc.kinds.base import Kind, Role

if TYPE_CHECKING:
    from stemsvc.jobs.encoding import Encoding
    from stemsvc.models.catalog import Catalog

MOST_INPUTS = 64
STEM_MP4, REAPER, ARDOUR, DAWPROJECT, ZIP, SAMPLES = "stem.mp4", "reaper", "ardour", "dawproject", "zip", "samples"
ARCHIVE = "archive"  # the files as they came, with a manifest
TARGETS = (STEM_MP4, REAPER, ARDOUR, DAWPROJECT, ZIP, SAMPLES, ARCHIVE)
TIMED = {REAPER, ARDOUR, DAWPROJECT, SAMPLES}  # what has bars in it
CODECS = ("alac", "aac")  # of `.stem.mp4`; the first is lossless
COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
MIN_BPM, MAX_BPM = 20.0, 400.0
MOST_BARS = 64
MOST_NAME = 200  # characters of a name
SOURCE, MIXTURE, ANALYSIS = "source", "mixture", "analysis"  # roles


@dataclass(frozen=True)
class ExportParams:
    """What to make of the stems.

    `names` and `colours` are those of the tracks, in their order; empty: as the inputs are called, and our own.
    `bpm` is found in the music where it is open and no analysis came. `bars` is the length of a sample of a pack.
    """

    targets: tuple[str, ...] = (DAWPROJECT,)
    title: str = ""
    names: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    bpm: float | None = None
    codec: str = CODECS[0]
    bars: int = 4

    @property
    def timed(self) -> bool:
        """Whether one of the targets has bars in it."""
        return bool(TIMED & set(self.targets))


class Export(Kind[ExportParams]):
    """Putting stems into projects."""

    name = "export"
    form = "api.schemas.kinds.export:ExportForm"
    work = "workers.kinds.export.work:export"
    roles = (Role(SOURCE, 1, MOST_INPUTS), Role(MIXTURE, 0, 1), Role(ANALYSIS, 0, 1))
    encodes = False
    version = 3  # 2: a `.stem.mp4` has the song's tags, a sample's name the key. 3: tempo of stems that rest
    packages = ("av", "numpy", "scipy", "soxr")
    advice = "send shorter tracks, or fewer"

    def read(self, stored: Mapping[str, Any]) -> ExportParams:
        """See `Kind`."""
        known = {name: stored[name] for name in asdict(ExportParams()) if stored.get(name) is not None}
        lists: dict[str, Any] = {name: tuple(known[name]) for name in ("targets", "names", "colours") if name in known}
        return ExportParams(**{**known, **lists})

    def stored(self, params: ExportParams) -> dict[str, Any]:
        """See `Kind`."""
        lists = {name: list(getattr(params, name)) for name in ("targets", "names", "colours")}
        stored: dict[str, Any] = asdict(params)
        return {**stored, **lists}

    def check(self, params: ExportParams, inputs: Sequence[str], catalog: Catalog) -> ExportParams:
        """See `Kind`. Raises `UsageError` `bad_options`."""
        tracks = sum(role == SOURCE for role in inputs)
        if not params.targets:
            raise BadOptions(f"name a target of {', '.join(TARGETS)}")
        if unknown := [target for target in params.targets if target not in TARGETS]:
            raise BadOptions(f"target {unknown[0]!r} is not one of {', '.join(TARGETS)}")
        for what, given in (("names", params.names), ("colours", params.colours)):
            if given and len(given) != tracks:
                raise BadOptions(f"{len(given)} {what} for {tracks} tracks: give one for each, in their order, or none")
        for name in (params.title, *params.names):
            if len(name) > MOST_NAME or visible(name) != name:
                raise BadOptions(f"a name may have up to {MOST_NAME} printable characters")
        if odd := [colour for colour in params.colours if not COLOUR.fullmatch(colour)]:
            raise BadOptions(f"colour {odd[0]!r} is none such as #009E73")
        if params.bpm is not None and not (math.isfinite(params.bpm) and MIN_BPM <= params.bpm <= MAX_BPM):
            raise BadOptions(f"bpm is {params.bpm}; it may be from {MIN_BPM:g} to {MAX_BPM:g}")
        if params.codec not in CODECS:
            raise BadOptions(f"codec {params.codec!r} is not one of {', '.join(CODECS)}")
        if not 1 <= params.bars <= MOST_BARS:
            raise BadOptions(f"bars is {params.bars}; it may be from 1 to {MOST_BARS}")
        return params

    def cost(self, params: ExportParams, seconds: float, catalog: Catalog) -> float:
        """See `Kind`: of four stems, decoded, written and packed for each target."""
        return 1.0 + seconds * (0.04 + 0.01 * len(params.targets))

    def files(self, params: ExportParams, encoding: Encoding) -> Sequence[str]:
        """See `Kind`."""
        return params.targets


KIND = Export()
