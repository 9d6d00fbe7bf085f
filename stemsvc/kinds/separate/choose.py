"""Chooses the model of a separation that names none: by the quality that is asked for, and by the stems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stemsvc.errors import ModelUnserved, UnknownStem
from stemsvc.kinds.separate import stems
from stemsvc.models.catalog import BUNDLED_MODEL, Catalog
from stemsvc.models.chains import LARGEST_SET
from stemsvc.models.entry import ModelEntry
from stemsvc.models.presets import Option, Preset
from stemsvc.models.set_names import WITH


@dataclass(frozen=True)
class Chosen:
    """A model, the option of a preset that it came from (None: chosen by stems alone), and why it is that one."""

    entry: ModelEntry
    option: Option | None
    why: str


def by_quality(catalog: Catalog, quality: str, wanted: Sequence[str], device: str) -> Chosen:
    """The model for that quality, which has the `wanted` outputs (none: all of its stems) and can be had on `device`.

    The preset's first option that can be served is taken. Where no option has the outputs at all, it is the cheapest
    model that has them; where no model has all, the cheapest set of models. Raises `UsageError` `unknown_preset`,
    `unknown_stem`, `model_unserved`.
    """
    preset, unserved = catalog.preset(quality), catalog.passed_over(device)
    _check_known(catalog, wanted)
    passed: dict[str, str] = {}
    absent: dict[str, str] = {}
    capable = False
    for option in preset.options:
        meant = [entry for entry in _by_cost(catalog.entries) if option.takes(entry)]
        able = [entry for entry in meant if has(entry, wanted)]
        capable = capable or bool(able)
        for entry in able:
            if entry.name not in unserved:
                return Chosen(entry, option, f"quality {quality}: {entry.name}{_beside(passed)}")
            passed[entry.name] = unserved[entry.name]
        passed |= {entry.name: _why_not(entry, wanted, unserved) for entry in meant}
        absent |= {} if meant else {option.words: "the catalog has none"}
    if wanted and not capable and (chosen := _cheapest(catalog, wanted, unserved)):
        none = f"no model of quality {quality} has {', '.join(wanted)}"
        return Chosen(chosen, None, f"{none}: {chosen.name} is the cheapest that has{_beside(passed)}")
    none_has_all = not any(has(entry, wanted) for entry in _offered(catalog))
    if none_has_all and (several := _several(catalog, wanted, unserved, f"quality {quality}, ")):
        return several
    raise ModelUnserved(_refusal(preset, wanted, {**passed, **absent}))


def by_stems(catalog: Catalog, wanted: Sequence[str], device: str) -> Chosen | None:
    """The cheapest model that has the `wanted` outputs and can be had, or the cheapest set of models where none has
    all; None where the default model has them, or no set does. Raises `UsageError` `model_unserved` where those models
    that have them can't be had."""
    usual = catalog.get("")
    if has(usual, wanted):
        return None
    able = [entry for entry in _offered(catalog) if has(entry, wanted)]
    unserved = catalog.passed_over(device)
    if not able:
        return _several(catalog, wanted, unserved)
    asked, lacks = ", ".join(wanted), f"{usual.name} lacks {', '.join(_lacking(usual, wanted))}"
    chosen = _cheapest(catalog, wanted, unserved)
    if chosen is None:
        passed = {entry.name: unserved[entry.name] for entry in able}
        raise ModelUnserved(
            f"no model with the stems {asked} can be had here{_beside(passed)}. Add a pool that serves it"
        )
    passed = {entry.name: unserved[entry.name] for entry in able if entry.name in unserved and entry.cost < chosen.cost}
    return Chosen(
        chosen, None, f"stems {asked}: {chosen.name} is the cheapest model that has them, {lacks}{_beside(passed)}"
    )


def presets_now(catalog: Catalog) -> list[dict[str, Any]]:
    """What each preset is now, on any device: `name`, `summary`, `model` (None: it can't be served), `stems`, `why`."""
    told = []
    for preset in catalog.presets:
        fields: dict[str, Any] = {"name": preset.name, "summary": preset.summary, "model": None, "stems": []}
        try:
            chosen = by_quality(catalog, preset.name, (), "auto")
        except ModelUnserved as error:
            told.append({**fields, "why": error.detail})
        else:
            made = stems.choose(chosen.option.stems if chosen.option else (), chosen.entry.stems)
            told.append({**fields, "model": chosen.entry.name, "stems": list(made), "why": chosen.why})
    return told


def has(entry: ModelEntry, wanted: Iterable[str]) -> bool:
    """Whether the model has all of these outputs."""
    return not _lacking(entry, wanted)


def _check_known(catalog: Catalog, wanted: Iterable[str]) -> None:
    for name in wanted:
        if not any(has(entry, [name]) for entry in catalog.entries):
            known = dict.fromkeys(stem for entry in catalog.entries for stem in entry.stems)
            raise UnknownStem(f"no model of the catalog has {name!r}; together they have {', '.join(known)}")


def _lacking(entry: ModelEntry, wanted: Iterable[str]) -> list[str]:
    known = stems.names(entry.stems)
    return [name for name in wanted if name not in known]


def _by_cost(entries: Iterable[ModelEntry]) -> list[ModelEntry]:
    return sorted(entries, key=lambda entry: entry.seconds)


def _offered(catalog: Catalog) -> list[ModelEntry]:
    """The models that may be chosen by their stems, the cheapest first: not those that nobody should take unasked."""
    return [entry for entry in _by_cost(catalog.entries) if entry.name != BUNDLED_MODEL and not entry.deprecated]


def _cheapest(catalog: Catalog, wanted: Sequence[str], unserved: Mapping[str, str]) -> ModelEntry | None:
    able = (entry for entry in _offered(catalog) if entry.name not in unserved and has(entry, wanted))
    return next(able, None)


def _several(catalog: Catalog, wanted: Sequence[str], unserved: Mapping[str, str], beside: str = "") -> Chosen | None:
    """The cheapest set that can be had; raises `UsageError` `model_unserved` where one exists and none can be had."""
    if chosen := _set(catalog, wanted, unserved):
        why = f"{beside}stems {', '.join(wanted)}: no model has them all, {_makes(chosen, wanted)}"
        return Chosen(chosen, None, why)
    if several := _set(catalog, wanted, {}):
        gone = {name: unserved[name] for name in several.name.split(WITH) if name in unserved}
        none = f"no set of models with the stems {', '.join(wanted)} can be had here"
        raise ModelUnserved(f"{none}{_beside(gone)}. Add pools that serve its models")
    return None


def _set(catalog: Catalog, wanted: Sequence[str], unserved: Mapping[str, str]) -> ModelEntry | None:
    """The cheapest set of models of one rate that have the outputs between them; None where there is none.

    Of models that have the same of them the default one is taken, else the cheapest. A sum of all other stems is no
    output of a set: the stems of its models overlap.
    """
    goal = frozenset(wanted)
    useful: dict[tuple[frozenset[str], int, bool], ModelEntry] = {}
    for entry in sorted(_offered(catalog), key=lambda entry: entry.name != catalog.default):
        own = frozenset(name for name in wanted if has(entry, [name]) and not name.startswith(stems.NO))
        if own and entry.name not in unserved:
            useful.setdefault((own, entry.sample_rate, bool(entry.steps)), entry)
    complete: list[list[ModelEntry]] = []
    for rate in {rate for _, rate, _ in useful}:
        # of each number of models the cheapest: what is cheaper with more of them may leave no room for the rest
        found: dict[tuple[frozenset[str], bool, int], list[ModelEntry]] = {(frozenset(), False, 0): []}
        for (own, its_rate, chain), entry in useful.items():
            for (had, chained, count), members in list(found.items()):
                if its_rate != rate or count == LARGEST_SET or own <= had or (chain and chained):
                    continue
                key, more = (had | own, chain or chained, count + 1), [*members, entry]
                if key not in found or _seconds(more) < _seconds(found[key]):
                    found[key] = more
        complete += [members for (had, *_), members in found.items() if had == goal]
    if not complete:
        return None
    # each of them adds an output; the chain is first, so that none hears less, then the dearest: it is the best at what
    # several have
    members = sorted(min(complete, key=_seconds), key=lambda entry: (not entry.steps, -entry.seconds))
    return catalog.together([entry.name for entry in members])


def _seconds(members: Iterable[ModelEntry]) -> float:
    return sum(entry.seconds for entry in members)


def _makes(several: ModelEntry, wanted: Sequence[str]) -> str:
    """Which model of a set makes which of its outputs."""
    made: dict[str, list[str]] = {}
    for name in wanted:
        stem = stems.find(name, several.stems).needs[0]
        taken = next((step for step in several.steps if stem in step.take), several.steps[-1])
        made.setdefault(" and ".join(taken.models), []).append(name)
    of = "; ".join(f"{', '.join(names)} by {model}" for model, names in made.items())
    return f"{several.name} is the cheapest set of models that has: {of}"


def _why_not(entry: ModelEntry, wanted: Sequence[str], unserved: Mapping[str, str]) -> str:
    lacking = _lacking(entry, wanted)
    return f"it lacks {', '.join(lacking)}" if lacking else unserved[entry.name]


def _beside(passed: Mapping[str, str]) -> str:
    return "".join(f"; not {name}: {why}" for name, why in passed.items())


def _refusal(preset: Preset, wanted: Sequence[str], passed: Mapping[str, str]) -> str:
    what = f" with the stems {', '.join(wanted)}" if wanted else ""
    advice = preset.advice or "add a pool that serves one of these models (STEMSVC_POOLS), or their weights"
    return f"nothing here can serve the quality {preset.name}{what}{_beside(passed)}. What it needs: {advice}"
