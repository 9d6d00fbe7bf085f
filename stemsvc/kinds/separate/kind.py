"""The kind `separate`: a song in, its stems out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from stemsvc.errors import BadOptions, UnknownStem, UsageError
from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.part import WHOLE, Part
from stemsvc.jobs.spec import Envelope, JobSpec
from stemsvc.kinds.base import Kind, Needs
from stemsvc.kinds.separate import stems
from stemsvc.kinds.separate.choose import Chosen, by_quality, by_stems
from stemsvc.kinds.separate.cost import predict_seconds
from stemsvc.kinds.separate.options import CHANNELS, SeparationOptions
from stemsvc.models.catalog import Catalog
from stemsvc.models.set_names import WITH

_OPTIONS = tuple(each.name for each in fields(SeparationOptions))
# Of an analysis beside a separation, as of the kind `analyze`: seconds for each second of a track, and its `version`.
ANALYSIS_COST, ANALYSIS_VERSION = 0.025, 3
_CHOICE = ("quality", "chosen")
_PART = tuple(each.name for each in fields(Part))


@dataclass(frozen=True)
class SeparateParams:
    """What to separate: names from `stemsvc.kinds.separate.stems`, in the model's order; all stems where empty."""

    model: str = ""  # the catalog's default where empty
    stems: tuple[str, ...] = ()
    residual: bool = False  # whether to return also the mixture less the stems returned
    separation: SeparationOptions = field(default_factory=SeparationOptions)
    part: Part = WHOLE  # of the track; the job costs what this part costs
    channels: str = "stereo"  # or `source`: the files of a mono track are mono
    fallback: str = ""  # the model to take where the weights of `model` can't be had; empty: none
    analyze: bool = False  # whether to tell tempo, key, chords and more of the track too
    quality: str = ""  # a preset of the catalog, which chose the model
    chosen: str = ""  # why the model is that one, where the client named none that has what it wants

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the files that a job with these params makes."""
        return (*self.stems, "residual") if self.residual else self.stems


class Separate(Kind[SeparateParams]):
    """Splitting a song into stems, by a network of the catalog."""

    name = "separate"
    form = "api.schemas.kinds.separate:JobForm"
    work = "workers.kinds.separate.work:separate"
    modelled = True
    packages = ("torch", "demucs")
    noun = "stems"
    version = 2  # 2: late starts and holes are silence, and a header's length counts for nothing
    advice = "send a shorter track or a part of it, or ask for less overlap or fewer shifts"

    def read(self, stored: Mapping[str, Any]) -> SeparateParams:
        """The params from flat names; release 0.1 kept the engine's options under `separation`."""
        options = {**stored, **stored.get("separation", {})}
        return SeparateParams(
            model=stored.get("model") or "",
            fallback=stored.get("fallback") or "",
            stems=tuple(stored.get("stems") or ()),
            residual=bool(stored.get("residual", False)),
            separation=SeparationOptions(**{name: options[name] for name in _OPTIONS if name in options}),
            part=Part(**{name: stored[name] for name in _PART if stored.get(name) is not None}),
            channels=stored.get("channels") or "stereo",
            analyze=bool(stored.get("analyze", False)),
            quality=stored.get("quality") or "",
            chosen=stored.get("chosen") or "",
        )

    def stored(self, params: SeparateParams) -> dict[str, Any]:
        """See `Kind`."""
        own = {"model": params.model, "stems": list(params.stems), "residual": params.residual}
        open_model = {"fallback": params.fallback} if params.fallback else {}
        more = {"analyze": True} if params.analyze else {}
        why = {name: said for name in _CHOICE if (said := getattr(params, name))}
        shape = {**vars(params.separation), **vars(params.part), "channels": params.channels}
        return {**own, **open_model, **shape, **more, **why}

    def choose(self, params: SeparateParams, catalog: Catalog, device: str) -> SeparateParams:
        """See `Kind`. Raises `UsageError` `unknown_preset`, `model_unserved`, `bad_options` (a model and a quality)."""
        if params.chosen:  # an earlier job's
            return params
        if not params.quality and catalog.means_preset(params.model):
            params = replace(params, model="", quality=params.model)
        if params.quality and params.model:
            raise BadOptions(f"the model {params.model} and the quality {params.quality}: name one of them")
        if params.quality:
            return _taking(by_quality(catalog, params.quality, params.stems, device), params)
        chosen = None if params.model else by_stems(catalog, params.stems, device)
        return _taking(chosen, params) if chosen else params

    def chosen(self, params: SeparateParams) -> str:
        """See `Kind`."""
        return params.chosen

    def check(self, params: SeparateParams, inputs: Sequence[str], catalog: Catalog) -> SeparateParams:
        """See `Kind`. Raises `UsageError` `unknown_model`, `unknown_stem`, `overlapping_stems`, `bad_options`."""
        entry = catalog.get(params.model)
        params.separation.check(entry.segment_seconds)
        params.part.check()
        if params.channels not in CHANNELS:
            raise BadOptions(f"channels {params.channels!r} is not one of {', '.join(CHANNELS)}")
        chosen = stems.choose(params.stems, entry.stems, params.residual)
        if WITH in entry.name and (sums := [name for name in chosen if name.startswith(stems.NO)]):
            minus = sums[0].replace(stems.NO, stems.MINUS, 1)
            raise UnknownStem(f"a set of models has no {sums[0]!r}, for their stems overlap; it has {minus!r}")
        fallback = params.fallback if params.model else catalog.fallback
        how = params.separation
        if how.overlap is None and not entry.steps:  # each model of a chain has its own
            how = replace(how, overlap=entry.overlap)
        return replace(params, model=entry.name, fallback=fallback, stems=chosen, separation=how)

    def part(self, params: SeparateParams, seconds: float | None) -> float | None:
        """See `Kind`."""
        return params.part.seconds(seconds)

    def cost(self, params: SeparateParams, seconds: float, catalog: Catalog) -> float:
        """See `Kind`."""
        analysis = ANALYSIS_COST * seconds if params.analyze else 0.0
        return predict_seconds(catalog.get(params.model), params.separation, seconds) + analysis

    def needs(self, params: SeparateParams, catalog: Catalog) -> Needs:
        """See `Kind`."""
        entry = catalog.get(params.model)
        return Needs(entry.name, entry.memory_mb, accelerated=True)

    def fallback(self, params: SeparateParams, catalog: Catalog) -> SeparateParams | None:
        """See `Kind`. A segment that is too long for the other model becomes that model's own."""
        if not params.fallback:
            return None
        entry, options = catalog.get(params.fallback), params.separation
        if options.segment is not None and options.segment > entry.segment_seconds:
            options = replace(options, segment=None)
        try:
            chosen = stems.choose(params.stems, entry.stems, params.residual)
        except UsageError:  # it lacks a stem that the client wants
            return None
        return replace(params, model=entry.name, fallback="", stems=chosen, separation=options)

    def heard(self, params: SeparateParams) -> dict[str, Any]:
        """See `Kind`. What another model would have made does not matter, nor why it is this one."""
        heard = self.stored(replace(params, fallback="", quality="", chosen=""))
        return {**heard, "analyze": ANALYSIS_VERSION} if params.analyze else heard

    def outputs(self, params: SeparateParams) -> Sequence[str]:
        """See `Kind`."""
        return params.outputs

    def on_pool(self, params: SeparateParams, precision: str | None) -> SeparateParams:
        """The params with the pool's precision, where the client left it open."""
        if precision is None or params.separation.precision != "auto":
            return params
        return replace(params, separation=replace(params.separation, precision=precision))

    def shown(self, params: SeparateParams) -> dict[str, Any]:
        """See `Kind`."""
        own = {"model": params.model, "residual": params.residual}
        how = dict(vars(params.separation))
        if how["overlap"] is None:  # each model of a chain has its own
            del how["overlap"]
        return {**own, **how}

    def mirrored(self, params: SeparateParams) -> dict[str, Any]:
        """See `Kind`. What release 0.1 does not know is there only where it is asked for: the hash of a request, by
        which its idempotency key is compared, stays the same."""
        own = {"model": params.model, "stems": list(params.stems), "residual": params.residual}
        newer = {**vars(params.part), "channels": params.channels, "analyze": params.analyze, "quality": params.quality}
        usual = {**vars(WHOLE), "channels": CHANNELS[0], "analyze": False, "quality": ""}
        asked = {name: value for name, value in newer.items() if value != usual[name]}
        return {**own, "separation": dict(vars(params.separation)), **asked}


def _taking(chosen: Chosen, params: SeparateParams) -> SeparateParams:
    """The params with that model, and with what its option says where they say nothing."""
    option, how, asked = chosen.option, params.separation, params.stems
    if option is not None:
        overlap = option.overlap if how.overlap is None else how.overlap
        precision = option.precision if how.precision == "auto" else how.precision
        how = replace(how, overlap=overlap, shifts=how.shifts or option.shifts, precision=precision)
        asked = asked or option.stems
    return replace(params, model=chosen.entry.name, stems=asked, separation=how, chosen=chosen.why)


KIND = Separate()


def separation(params: SeparateParams, envelope: Envelope | None = None, encoding: Encoding | None = None) -> JobSpec:
    """The spec of a separation with these params, which are not checked."""
    stored, more = KIND.stored(params), KIND.mirrored(params)
    return JobSpec(KIND.name, stored, envelope or Envelope(), encoding or Encoding(bit_depth="16"), more)
