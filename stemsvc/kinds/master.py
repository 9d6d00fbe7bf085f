"""The kind `master`: a song in, the same song shaped, at a loudness and under a ceiling, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from stemsvc.errors import BadOptions
from stemsvc.kinds.base import Kind, Role

if TYPE_CHECKING:
    from stemsvc.models.catalog import Catalog

REFERENCE = "reference"
SILENCES = ("keep", "trim", "cut")  # what becomes of silence: it stays, it goes at the ends, or wherever it lasts
RANGES: dict[str, tuple[float, float]] = {
    "intensity": (0.0, 1.0),
    "loudness": (-40.0, -5.0),
    "ceiling_db": (-20.0, 0.0),
    "low_db": (-12.0, 12.0),
    "mid_db": (-12.0, 12.0),
    "high_db": (-12.0, 12.0),
    "compression": (0.0, 1.0),
    "saturation": (0.0, 1.0),
    "width": (0.0, 2.0),
    "silence_db": (-90.0, -20.0),
}


@dataclass(frozen=True)
class Preset:
    """What a preset asks for. Loudness is in LUFS, the ceiling in dBTP, gains in dB at full intensity."""

    loudness: float | None = None
    ceiling_db: float | None = None
    low_db: float = 0.0
    mid_db: float = 0.0
    high_db: float = 0.0
    compression: float = 0.0
    saturation: float = 0.0
    width: float = 1.0
    mono_loudness: float | None = None  # of a mono song, where it has another one


# Loudness and ceilings: Spotify and YouTube; Apple Sound Check; CDs and clubs; EBU R 128; AES TD1004 (podcasts).
PRESETS: dict[str, Preset] = {
    "none": Preset(),
    "streaming": Preset(-14.0, -1.0, 1.0, 0.0, 1.0, 0.4, 0.2, 1.1),
    "apple": Preset(-16.0, -1.0, 0.5, 0.0, 0.5, 0.3, 0.1, 1.05),
    "cd": Preset(-10.0, -0.3, 1.0, 0.0, 1.5, 0.6, 0.35, 1.1),
    "club": Preset(-9.0, -0.5, 2.5, 0.0, 1.5, 0.7, 0.4, 1.0),
    "broadcast": Preset(-23.0, -1.0, 0.0, 0.0, 0.0, 0.3, 0.0, 1.0),
    "podcast": Preset(-16.0, -1.0, -2.0, 1.5, 1.0, 0.7, 0.1, 1.0, mono_loudness=-19.0),
}


@dataclass(frozen=True)
class MasterParams:
    """A preset, and what is wanted in place of its values (None: those). `intensity` scales all but loudness and
    ceiling. What stays under `silence_db`, in dBFS, is silence."""

    preset: str = "streaming"
    intensity: float = 0.5
    loudness: float | None = None
    ceiling_db: float | None = None
    low_db: float | None = None
    mid_db: float | None = None
    high_db: float | None = None
    compression: float | None = None
    saturation: float | None = None
    width: float | None = None
    silence: str = SILENCES[0]
    silence_db: float = -50.0

    def wanted(self, mono: bool) -> Preset:
        """The preset with the values that were given in place of its own."""
        preset = PRESETS[self.preset]
        found = {each.name: getattr(preset, each.name) for each in fields(Preset)}
        if mono and preset.mono_loudness is not None:
            found["loudness"] = preset.mono_loudness
        given = {name: value for name in found if (value := getattr(self, name, None)) is not None}
        return Preset(**{**found, **given})


class Master(Kind[MasterParams]):
    """Mastering a song."""

    name = "master"
    form = "api.schemas.kinds.master:MasterForm"
    work = "workers.kinds.master.work:master"
    roles = (Role(), Role(REFERENCE, 0, 1))
    packages = ("numpy", "av", "soxr")
    noun = "master"

    def read(self, stored: Mapping[str, Any]) -> MasterParams:
        """See `Kind`."""
        names = [each.name for each in fields(MasterParams)]
        return MasterParams(**{name: stored[name] for name in names if stored.get(name) is not None})

    def stored(self, params: MasterParams) -> dict[str, Any]:
        """See `Kind`."""
        return asdict(params)

    def check(self, params: MasterParams, inputs: Sequence[str], catalog: Catalog) -> MasterParams:
        """See `Kind`. Raises `UsageError` `bad_options`."""
        if params.preset not in PRESETS:
            raise BadOptions(f"preset {params.preset!r} is not one of {', '.join(PRESETS)}")
        if params.silence not in SILENCES:
            raise BadOptions(f"silence {params.silence!r} is not one of {', '.join(SILENCES)}")
        for name, (least, most) in RANGES.items():
            value = getattr(params, name)
            if value is not None and not least <= value <= most:  # NaN, too
                raise BadOptions(f"{name} is {value:g}; it may be from {least:g} to {most:g}")
        return params

    def cost(self, params: MasterParams, seconds: float, catalog: Catalog) -> float:
        """See `Kind`: the song is read some ten times."""
        return 0.03 * seconds + 1.0

    def heard(self, params: MasterParams) -> dict[str, Any]:
        """See `Kind`. Where silence stays, what would be silence does not matter."""
        kept = params.silence == SILENCES[0]
        return self.stored(replace(params, silence_db=MasterParams.silence_db) if kept else params)

    def outputs(self, params: MasterParams) -> Sequence[str]:
        """See `Kind`."""
        return ("master",)


KIND = Master()
