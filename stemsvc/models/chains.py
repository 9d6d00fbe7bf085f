"""Entries that are made of other entries: ensembles, whose models are combined, chains of them, and sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from stemsvc.models.entry import CHAIN, ModelEntry, Step
from stemsvc.models.set_names import WITH

LARGEST_SET = 4  # models
PROCESS_MB = 600  # of a pool process that its networks share


def chained(fields: Mapping[str, Any], known: Mapping[str, ModelEntry]) -> tuple[dict[str, Any], dict[str, ModelEntry]]:
    """The fields of an entry with `steps`, with what its parts say (stems, rate, files, cost and more), and the parts.

    Raises `ValueError` with the key at fault.
    """
    try:
        steps = [Step.model_validate(step) for step in fields["steps"]]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("steps", *first["loc"]))
        raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error
    except (TypeError, KeyError) as error:
        raise ValueError("steps: is a list of steps") from error
    if not steps:
        raise ValueError("steps: is empty")
    members = [_member(name, known) for step in steps for name in step.models]
    for step in steps:
        for name in step.models:
            lacking = [stem for stem in step.take.values() if stem not in known[name].stems]
            if lacking:
                raise ValueError(f"steps: {name} has no {lacking[0]}; it has {', '.join(known[name].stems)}")
    stems = [stem for step in steps for stem in step.take]
    rest = fields.get("rest")
    if rest is not None:
        stems.append(rest)
    if len({*stems}) < len(stems):
        raise ValueError(f"steps: a stem is taken twice: {', '.join(stems)}")
    rates = {member.sample_rate for member in members}
    if len(rates) > 1:
        raise ValueError(f"steps: the models have different rates: {', '.join(map(str, sorted(rates)))}")
    parts = {member.name: member for member in members}
    doubts = dict.fromkeys(member.licence_doubt for member in members if member.licence_doubt)
    said = {
        "stems": stems,
        "sample_rate": rates.pop(),
        "segment_seconds": min(member.segment_seconds for member in members),
        "cost": sum(member.cost for member in members),
        "memory_mb": PROCESS_MB + sum(max(0, part.memory_mb - PROCESS_MB) for part in parts.values()),
        "licence": ", ".join(dict.fromkeys(member.licence for member in members)),
        **({"licence_doubt": "; ".join(doubts)} if doubts else {}),
    }
    files = {file.key: file for member in members for file in member.files}
    return {**said, **fields, "steps": steps, "files": list(files.values())}, parts


def united(names: Sequence[str], known: Mapping[str, ModelEntry]) -> ModelEntry:
    """The set of these models: each hears the whole mixture, and has the stems that none before it has.

    One of them may be a chain. Raises `ValueError` that says why they make no set.
    """
    members = [known[name] for name in names]
    if len(members) > LARGEST_SET:
        raise ValueError(f"a set has {LARGEST_SET} models at most")
    if sum(bool(member.steps) for member in members) > 1:
        raise ValueError("a set has one chain at most")
    steps: list[dict[str, Any]] = []
    rest: str | None = None
    had: set[str] = set()
    for member in members:
        new = [stem for stem in member.stems if stem not in had]
        if len(new) < len(member.stems) and member.steps:
            raise ValueError(f"the chain {member.name} has a stem that another model has; name the chain first")
        if not new:
            raise ValueError(f"{member.name} has no stem that the others lack")
        had |= {*new}
        rest = rest or (member.rest if member.steps else None)
        own = [{"models": [member.name], "take": new, "hears": "mixture"}]
        steps += [step.model_dump() for step in member.steps] or own
    said, parts = chained({"steps": steps, **({"rest": rest} if rest else {})}, known)
    of = ", ".join(f"{name} ({known[name].summary})" for name in names)
    entry = ModelEntry.model_validate({**said, "name": WITH.join(names), "family": CHAIN, "summary": f"a set of {of}"})
    entry._parts.update(parts)
    return entry


def _member(name: str, known: Mapping[str, ModelEntry]) -> ModelEntry:
    entry = known.get(name)
    if entry is None:
        raise ValueError(f"steps: {name!r} is no other model of the catalog")
    if entry.steps:
        raise ValueError(f"steps: {name!r} is made of models itself")
    return entry
