"""The kind `mix`: several tracks in, one out. With unity everywhere the mix is the exact sum of the tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from stemsvc.errors import BadInputs, BadOptions
from stemsvc.kinds.base import Kind, Role

if TYPE_CHECKING:
    from stemsvc.models.catalog import Catalog

MOST_TRACKS = 100
PAN_LAWS = ("balance", "constant_power")
PROFILES = ("none", "balanced", "bass-heavy", "bright", "warm")
TRACK = "track"
# Limits of each number, by the names of its object and its field.
RANGES: dict[str, tuple[float, float]] = {
    "gain_db": (-120.0, 60.0),
    "pan": (-1.0, 1.0),
    "start": (0.0, 86_400.0),
    "fade_in": (0.0, 3600.0),
    "fade_out": (0.0, 3600.0),
    "eq.low": (-24.0, 24.0),
    "eq.mid": (-24.0, 24.0),
    "eq.high": (-24.0, 24.0),
    "compressor.threshold_db": (-60.0, 0.0),
    "compressor.ratio": (1.0, 20.0),
    "compressor.attack_ms": (0.1, 2000.0),
    "compressor.release_ms": (1.0, 9000.0),
    "compressor.makeup_db": (0.0, 24.0),
    "reverb.amount": (0.0, 1.0),
    "reverb.seconds": (0.1, 10.0),
    "reverb.predelay_ms": (0.0, 500.0),
    "sidechain.threshold_db": (-60.0, 0.0),
    "sidechain.ratio": (1.0, 20.0),
    "sidechain.attack_ms": (0.1, 2000.0),
    "sidechain.release_ms": (1.0, 9000.0),
}
T = TypeVar("T")


@dataclass(frozen=True)
class Eq:
    """Gains in dB: a shelf below 150 Hz, a bell at 1 kHz, a shelf above 6 kHz."""

    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Compressor:
    """A compressor with a soft knee of 6 dB, which follows the track's own level."""

    threshold_db: float = -18.0
    ratio: float = 3.0
    attack_ms: float = 10.0
    release_ms: float = 150.0
    makeup_db: float = 0.0


@dataclass(frozen=True)
class Reverb:
    """A share of the track that goes to a hall of `seconds` (until it is 60 dB down), beside the dry track."""

    amount: float = 0.2
    seconds: float = 1.5
    predelay_ms: float = 20.0


@dataclass(frozen=True)
class Sidechain:
    """A compressor that follows the level of another track: `key` is its name, or its number from 1."""

    key: str = ""
    threshold_db: float = -30.0
    ratio: float = 4.0
    attack_ms: float = 5.0
    release_ms: float = 150.0


@dataclass(frozen=True)
class TrackParams:
    """One track of a mix. Times are in seconds; `start` is where it begins in the mix. `pan` -1 is left, 1 right."""

    name: str = ""
    gain_db: float = 0.0
    pan: float = 0.0
    mute: bool = False
    solo: bool = False
    start: float = 0.0
    fade_in: float = 0.0
    fade_out: float = 0.0
    eq: Eq | None = None
    compressor: Compressor | None = None
    reverb: Reverb | None = None
    sidechain: Sidechain | None = None


@dataclass(frozen=True)
class MixParams:
    """The tracks in the order of the inputs, and what is done to their sum."""

    tracks: tuple[TrackParams, ...] = field(default_factory=tuple)
    gain_db: float = 0.0
    normalise: bool = False  # the true peak to -1 dBTP
    profile: str = "none"
    pan_law: str = PAN_LAWS[0]

    def audible(self, number: int) -> bool:
        """Whether the track of that number, from 0, is heard."""
        track = self.tracks[number]
        return not track.mute and (track.solo or not any(each.solo for each in self.tracks))

    def key(self, number: int) -> int | None:
        """The number of the track that the sidechain of track `number` follows; None where it has none.

        Raises `UsageError` `bad_options` where there is no such track, or several of that name.
        """
        sidechain = self.tracks[number].sidechain
        if sidechain is None:
            return None
        found = [each for each, track in enumerate(self.tracks) if track.name and track.name == sidechain.key]
        if not found and sidechain.key.isdecimal() and 1 <= int(sidechain.key) <= len(self.tracks):
            found = [int(sidechain.key) - 1]
        if len(found) != 1 or found[0] == number:
            names = ", ".join(each.name or str(position) for position, each in enumerate(self.tracks, 1))
            raise BadOptions(
                f"tracks[{number}].sidechain.from is {sidechain.key!r}; name one other track, of {names}, or its number"
            )
        return found[0]


class Mix(Kind[MixParams]):
    """Mixing tracks into one."""

    name = "mix"
    form = "api.schemas.kinds.mix:MixForm"
    work = "workers.kinds.mix.work:mix"
    roles = (Role(TRACK, 1, MOST_TRACKS, entries="tracks"),)
    packages = ("numpy", "av", "soxr")
    noun = "mix"
    advice = "send fewer or shorter tracks"

    def read(self, stored: Mapping[str, Any]) -> MixParams:
        """See `Kind`."""
        tracks = tuple(_track(each) for each in stored.get("tracks") or ())
        return replace(_read(MixParams, {**stored, "tracks": None}), tracks=tracks)

    def stored(self, params: MixParams) -> dict[str, Any]:
        """See `Kind`."""
        found = asdict(params)
        for track in found["tracks"]:
            if track["sidechain"] is not None:
                track["sidechain"]["from"] = track["sidechain"].pop("key")
        return {**found, "tracks": list(found["tracks"])}

    def check(self, params: MixParams, inputs: Sequence[str], catalog: Catalog) -> MixParams:
        """See `Kind`. Raises `UsageError` `bad_options` and `bad_inputs`."""
        if len(inputs) != len(params.tracks):
            raise BadInputs(f"a mix of {len(params.tracks)} tracks has {len(inputs)} inputs")
        _check_choice("pan_law", params.pan_law, PAN_LAWS)
        _check_choice("profile", params.profile, PROFILES)
        _check_range("gain_db", "gain_db", params.gain_db)
        for number, track in enumerate(params.tracks):
            _check_track(number, track)
            params.key(number)
        return params

    def part(self, params: MixParams, seconds: float | None) -> float | None:
        """See `Kind`: the mix lasts at most so long."""
        return None if seconds is None else seconds + max((each.start for each in params.tracks), default=0.0)

    def cost(self, params: MixParams, seconds: float, catalog: Catalog) -> float:
        """Each track is decoded and added, its effects take about as long; the mix is written once."""
        effects = sum(
            each is not None
            for track in params.tracks
            for each in (track.eq, track.compressor, track.reverb, track.sidechain)
        )
        return (0.004 * len(params.tracks) + 0.004 * effects + 0.006) * seconds + 0.4 * len(params.tracks)

    def outputs(self, params: MixParams) -> Sequence[str]:
        """See `Kind`."""
        return ("mix",)


KIND = Mix()


def _read(shape: type[T], stored: Mapping[str, Any]) -> T:
    """A dataclass from those of its fields that are there."""
    names = shape.__dataclass_fields__  # type: ignore[attr-defined]
    return shape(**{name: stored[name] for name in names if stored.get(name) is not None})


def _track(stored: Mapping[str, Any]) -> TrackParams:
    sidechain = stored.get("sidechain")
    if sidechain is not None:
        sidechain = _read(Sidechain, {**sidechain, "key": str(sidechain.get("from", ""))})
    parts = {
        name: None if stored.get(name) is None else _read(shape, stored[name])
        for name, shape in (("eq", Eq), ("compressor", Compressor), ("reverb", Reverb))
    }
    return _read(TrackParams, {**stored, **parts, "sidechain": sidechain})


def _check_track(number: int, track: TrackParams) -> None:
    for name in ("gain_db", "pan", "start", "fade_in", "fade_out"):
        _check_range(f"tracks[{number}].{name}", name, getattr(track, name))
    for part in ("eq", "compressor", "reverb", "sidechain"):
        for name, value in vars(getattr(track, part) or Eq()).items():
            if (key := f"{part}.{name}") in RANGES:
                _check_range(f"tracks[{number}].{key}", key, value)


def _check_range(where: str, name: str, value: float) -> None:
    least, most = RANGES[name]
    if not least <= value <= most:  # NaN, too
        raise BadOptions(f"{where} is {value:g}; it may be from {least:g} to {most:g}")


def _check_choice(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise BadOptions(f"{name} {value!r} is not one of {', '.join(known)}")
