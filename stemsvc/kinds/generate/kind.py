"""The kind `generate`: words in, a piece of music out, with stems if they are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from stemsvc.errors import BadOptions
from stemsvc.jobs.filenames import visible
from stemsvc.kinds.base import Kind, Needs, Role
from stemsvc.kinds.generate.brief import Brief, check_change, settle
from stemsvc.kinds.generate.params import (
    DEFAULT_SECONDS,
    MAX_BPM,
    MAX_SECONDS,
    MAX_SEED,
    MELODY,
    MIN_BPM,
    MIN_SECONDS,
    MOST_CANDIDATES,
    MOST_NAME,
    MOST_PROMPT,
    MOST_SECTIONS,
    ORIGINAL,
    SCORE,
    SKETCH,
    GenerateParams,
)
from stemsvc.music.genres import STEMS
from stemsvc.music.keys import read_key

if TYPE_CHECKING:
    from stemsvc.jobs.encoding import Encoding
    from stemsvc.models.catalog import Catalog

MIX = "mix"
TRIES = 3  # of a candidate that is not good enough
# Measured on two cores of an AMD EPYC: starting, and writing, levelling, judging and encoding a second of music.
BASE_SECONDS, COST = 1.0, 0.06
STEMS_COST = 0.2  # splitting what a generator made


class Generate(Kind[GenerateParams]):
    """Making music from words."""

    name = "generate"
    form = "api.schemas.kinds.generate:GenerateForm"
    work = "workers.kinds.generate.work:generate"
    roles = (Role(ORIGINAL, 0, 1), Role(MELODY, 0, 1))
    packages = ("av", "numpy", "scipy", "soxr")
    noun = "music"
    advice = "ask for a shorter piece, or for fewer candidates"

    def read(self, stored: Mapping[str, Any]) -> GenerateParams:
        """See `Kind`."""
        known = {name: stored[name] for name in asdict(GenerateParams()) if stored.get(name) is not None}
        return GenerateParams(**{**known, "form": tuple(known.get("form", ()))})

    def stored(self, params: GenerateParams) -> dict[str, Any]:
        """See `Kind`."""
        return {**asdict(params), "form": list(params.form)}

    def check(self, params: GenerateParams, inputs: Sequence[str], catalog: Catalog) -> GenerateParams:
        """See `Kind`. Raises `UsageError` `bad_options`, `licence_not_accepted`."""
        _check_model(params, inputs, catalog)
        if not 1 <= params.candidates <= MOST_CANDIDATES:
            raise BadOptions(f"candidates is {params.candidates}; it may be from 1 to {MOST_CANDIDATES}")
        if not 0 <= params.seed <= MAX_SEED:
            raise BadOptions(f"seed is {params.seed}; it may be from 0 to {MAX_SEED}")
        if params.bpm is not None and not MIN_BPM <= params.bpm <= MAX_BPM:  # NaN and 0, too
            raise BadOptions(f"bpm is {params.bpm:g}; it may be from {MIN_BPM:g} to {MAX_BPM:g}")
        if params.duration is not None and not MIN_SECONDS <= params.duration <= MAX_SECONDS:
            raise BadOptions(f"duration is {params.duration:g}; it may be from {MIN_SECONDS:g} to {MAX_SECONDS:g}")
        if len(params.prompt) > MOST_PROMPT:
            raise BadOptions(f"the prompt has {len(params.prompt)} characters; at most {MOST_PROMPT} are read")
        if len(params.name) > MOST_NAME or visible(params.name) != params.name:
            raise BadOptions(f"name may have up to {MOST_NAME} printable characters")
        if len(params.form) > MOST_SECTIONS:
            raise BadOptions(f"form has {len(params.form)} sections; it may have {MOST_SECTIONS}")
        varied = ORIGINAL in inputs
        check_change(params.change, varied)
        brief = None if varied else settle(params)  # a variation's brief is known when its original is read
        key = read_key(params.key)
        return replace(
            params,
            model=params.model or SKETCH,
            key=key.name if key else params.key,
            name=params.name or _title(params, brief),
        )

    def part(self, params: GenerateParams, seconds: float | None) -> float | None:
        """See `Kind`: what is made, whatever comes in."""
        return params.candidates * _seconds(params)

    def cost(self, params: GenerateParams, seconds: float, catalog: Catalog) -> float:
        """See `Kind`. `seconds` are those that `part` tells; one in ten pieces is tried again."""
        entry = catalog.generators.find(params.model)
        own = 0.0 if entry is None else entry.cost + (STEMS_COST if params.stems else 0.0)
        return BASE_SECONDS + (1.1 * COST + own) * params.candidates * _seconds(params)

    def needs(self, params: GenerateParams, catalog: Catalog) -> Needs:
        """See `Kind`. Raises `UsageError` `unknown_model`."""
        if params.model in ("", SKETCH):
            return Needs(soundfont=True)
        entry = catalog.generators.get(params.model)
        return Needs(memory_mb=entry.memory_mb, generator=entry.name, accelerated=True)

    def fallback(self, params: GenerateParams, catalog: Catalog) -> GenerateParams | None:
        """See `Kind`: the next provider, which its work takes where one fails."""
        return None if params.model in ("", SKETCH) else replace(params, model=SKETCH)

    def outputs(self, params: GenerateParams) -> Sequence[str]:
        """See `Kind`: those of each candidate. The score comes beside them."""
        audio = (MIX, *(STEMS if params.stems else ()))
        return [f"{name}{suffix(each)}" for each in range(params.candidates) for name in audio]

    def files(self, params: GenerateParams, encoding: Encoding) -> Sequence[str]:
        """Names of all of its files, as far as they are known before."""
        return [*self.outputs(params), SCORE]

    def heard(self, params: GenerateParams) -> dict[str, Any]:
        """See `Kind`: not by its name."""
        return self.stored(replace(params, name=""))


def suffix(candidate: int) -> str:
    """What the names of a candidate's files end with; the first one's with nothing."""
    return f"-{candidate + 1}" if candidate else ""


def _check_model(params: GenerateParams, inputs: Sequence[str], catalog: Catalog) -> None:
    if params.model in ("", SKETCH):
        if MELODY in inputs:
            raise BadOptions(f"{SKETCH} follows no melody: name a model that does, such as musicgen-melody")
        return
    entry = catalog.generators.find(params.model)
    if entry is None:
        raise BadOptions(f"model {params.model!r} is not one of {', '.join([SKETCH, *catalog.generators.names])}")
    catalog.generators.check_licence(entry)
    if ORIGINAL in inputs or params.form:
        raise BadOptions(f"{entry.name} knows no form, and varies no piece: leave `model` out, or name {SKETCH}")
    if MELODY in inputs and not entry.follows_melody:
        raise BadOptions(f"{entry.name} follows no melody: name a model that does, such as musicgen-melody")


def _seconds(params: GenerateParams) -> float:
    from stemsvc.music.durations import find_duration

    found = params.duration or find_duration(params.prompt) or DEFAULT_SECONDS
    return min(MAX_SECONDS, max(MIN_SECONDS, found))


def _title(params: GenerateParams, brief: Brief | None) -> str:
    """What a piece is called that got no name: by its prompt, or by what it is."""
    words = " ".join(visible(params.prompt).split())
    if words:
        return words if len(words) <= 60 else words[:60].rsplit(" ", 1)[0] + "…"
    if brief is None:
        return "Variation"
    return f"{brief.template.title} {brief.bpm:g} {brief.key.name}"


KIND = Generate()
