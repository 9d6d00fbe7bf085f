"""The kind `analyze`: a song in, facts about it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from stemsvc.errors import BadOptions
from stemsvc.jobs.part import WHOLE, Part
from stemsvc.kinds.base import Kind, Role

if TYPE_CHECKING:
    from stemsvc.jobs.encoding import Encoding
    from stemsvc.models.catalog import Catalog

USE_STEMS = ("auto", "always", "never")
CLICKS = ("none", "alone", "mixed")
MOST_STEMS = 16
# Measured on one core of an AMD EPYC: decoding, one pass over the sound, and what is found in it.
BASE_SECONDS, COST = 1.0, 0.025


@dataclass(frozen=True)
class AnalyzeParams:
    """How to analyse a song.

    Key and chords are heard best in stems without drums. `use_stems` says whether to take stems: those that the job
    got, else those of an earlier separation, else (`always`) those of `model`, the catalog's default where empty.
    """

    use_stems: str = "auto"
    model: str = ""
    click: str = "none"  # or a track with clicks on the beats: `alone`, or `mixed` with the song
    picture: bool = True
    part: Part = WHOLE


_PART = tuple(each.name for each in fields(Part))


class Analyze(Kind[AnalyzeParams]):
    """Finding tempo, beats, key, chords, sections, loudness and the state of a song."""

    name = "analyze"
    form = "api.schemas.kinds.analyze:AnalyzeForm"
    work = "workers.kinds.analyze.work:analyze"
    roles = (Role(), Role("stem", 0, MOST_STEMS))
    packages = ("scipy", "av", "soxr")
    version = 3  # 2: keys by cadences and phrases too. 3: rests say nothing of tempo and key
    noun = "facts"
    advice = "send a shorter track or a part of it, or do without stems"

    def read(self, stored: Mapping[str, Any]) -> AnalyzeParams:
        """See `Kind`."""
        return AnalyzeParams(
            use_stems=stored.get("use_stems") or USE_STEMS[0],
            model=stored.get("model") or "",
            click=stored.get("click") or CLICKS[0],
            picture=bool(stored.get("picture", True)),
            part=Part(**{name: stored[name] for name in _PART if stored.get(name) is not None}),
        )

    def stored(self, params: AnalyzeParams) -> dict[str, Any]:
        """See `Kind`."""
        own = {name: value for name, value in vars(params).items() if name != "part"}
        return {**own, **asdict(params.part)}

    def check(self, params: AnalyzeParams, inputs: Sequence[str], catalog: Catalog) -> AnalyzeParams:
        """See `Kind`. Raises `UsageError` `bad_options`, `unknown_model`."""
        if params.use_stems not in USE_STEMS:
            raise BadOptions(f"use_stems {params.use_stems!r} is not one of {', '.join(USE_STEMS)}")
        if params.click not in CLICKS:
            raise BadOptions(f"click {params.click!r} is not one of {', '.join(CLICKS)}")
        if params.model:
            catalog.get(params.model)
        if "stem" in inputs and params.use_stems == "never":
            raise BadOptions("use_stems is never, but stems were sent")
        if "stem" in inputs and params.part != WHOLE:
            raise BadOptions("stems go with the whole song, not with a part of it")
        params.part.check()
        return params

    def part(self, params: AnalyzeParams, seconds: float | None) -> float | None:
        """See `Kind`."""
        return params.part.seconds(seconds)

    def cost(self, params: AnalyzeParams, seconds: float, catalog: Catalog) -> float:
        """See `Kind`. A separation, where it is asked for, costs what its model costs."""
        separation = seconds * catalog.get(params.model).cost * 4 / 3 if params.use_stems == "always" else 0.0
        return BASE_SECONDS + seconds * COST + separation

    def files(self, params: AnalyzeParams, encoding: Encoding) -> Sequence[str]:
        """See `Kind`."""
        made = (("analysis", True), ("picture", params.picture), ("click", params.click != "none"))
        return [name for name, wanted in made if wanted]


KIND = Analyze()
