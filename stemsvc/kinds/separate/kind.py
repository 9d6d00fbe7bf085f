"""The kind `separate`: a song in, its stems out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.spec import Envelope, JobSpec
from stemsvc.kinds.base import Kind, Needs
from stemsvc.kinds.separate import stems
from stemsvc.kinds.separate.cost import predict_seconds
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.models.catalog import Catalog

_OPTIONS = tuple(each.name for each in fields(SeparationOptions))


@dataclass(frozen=True)
class SeparateParams:
    """What to separate: names from `stemsvc.kinds.separate.stems`, in the model's order; all stems where empty."""

    model: str = ""  # the catalog's default where empty
    stems: tuple[str, ...] = ()
    residual: bool = False  # whether to return also the mixture less the stems returned
    separation: SeparationOptions = field(default_factory=SeparationOptions)

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
    advice = "send a shorter track, or ask for less overlap or fewer shifts"

    def read(self, stored: Mapping[str, Any]) -> SeparateParams:
        """The params from flat names; release 0.1 kept the engine's options under `separation`."""
        options = {**stored, **stored.get("separation", {})}
        return SeparateParams(
            model=stored.get("model") or "",
            stems=tuple(stored.get("stems") or ()),
            residual=bool(stored.get("residual", False)),
            separation=SeparationOptions(**{name: options[name] for name in _OPTIONS if name in options}),
        )

    def stored(self, params: SeparateParams) -> dict[str, Any]:
        """See `Kind`."""
        own = {"model": params.model, "stems": list(params.stems), "residual": params.residual}
        return {**own, **vars(params.separation)}

    def check(self, params: SeparateParams, inputs: Sequence[str], catalog: Catalog) -> SeparateParams:
        """See `Kind`. Raises `UsageError` `unknown_model`, `unknown_stem`, `overlapping_stems`, `bad_options`."""
        entry = catalog.get(params.model)
        params.separation.check(entry.segment_seconds)
        chosen = stems.choose(params.stems, entry.stems, params.residual)
        return replace(params, model=entry.name, stems=chosen)

    def cost(self, params: SeparateParams, seconds: float, catalog: Catalog) -> float:
        """See `Kind`."""
        return predict_seconds(catalog.get(params.model), params.separation, seconds)

    def needs(self, params: SeparateParams, catalog: Catalog) -> Needs:
        """See `Kind`."""
        entry = catalog.get(params.model)
        return Needs(entry.name, entry.memory_mb, accelerated=True)

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
        return {**own, **vars(params.separation)}

    def mirrored(self, params: SeparateParams) -> dict[str, Any]:
        """See `Kind`."""
        return {**vars(params), "stems": list(params.stems), "separation": dict(vars(params.separation))}


KIND = Separate()


def separation(params: SeparateParams, envelope: Envelope | None = None, encoding: Encoding | None = None) -> JobSpec:
    """The spec of a separation with these params, which are not checked."""
    stored, more = KIND.stored(params), KIND.mirrored(params)
    return JobSpec(KIND.name, stored, envelope or Envelope(), encoding or Encoding(bit_depth="16"), more)
