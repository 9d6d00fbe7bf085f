"""Compares what live processes run with: which of them differ from the others, and in what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stemsvc.jobstore.processes import Process

# Settings that say where and how large one process is. They may differ from process to process.
OWN = frozenset(
    {
        *("data_dir", "scratch_dir", "cache_dir", "secrets_dir", "ready_file", "alive_file", "serves", "threads"),
        *("concurrency", "device_slots", "metrics_host", "metrics_port", "api_host", "api_port", "api_processes"),
        *("api_threads", "api_streams", "log_format", "log_level", "log_bytes", "log_files", "webhook_threads"),
        *("shutdown_grace_seconds", "client_url", "client_key", "flower_port", "flower_user", "flower_password"),
    }
)
UNSET = "its default"


@dataclass(frozen=True)
class Difference:
    """One thing in which processes differ: what the most of them have, and those that have something else."""

    what: str  # such as `setting max_attempts` or `pool gpu`
    most: str
    others: Mapping[str, tuple[str, ...]]  # what they have -> the ids of the processes


def differences(processes: Sequence[Process], store_revision: str | None = None) -> list[Difference]:
    """In what these processes differ; `store_revision` is that of the store's tables.

    Pools and weights are compared where a process has them at all: one that names no catalog of its own knows them all.
    """
    found = [
        _compared("version", {each.id: str(each.facts.get("version")) for each in processes}),
        _compared("python", {each.id: str(each.facts.get("python")) for each in processes}),
        _compared("newest migration", _revisions(processes, store_revision)),
    ]
    for name in sorted(_names(processes, "settings") - OWN):
        values = {each.id: str(each.facts.get("settings", {}).get(name, UNSET)) for each in processes}
        found.append(_compared(f"setting {name}", values))
    for part, word in (("pools", "pool"), ("weights", "weights of")):
        for name in sorted(_names(processes, part)):
            values = {each.id: _text(each.facts.get(part, {}).get(name)) for each in processes}
            found.append(_compared(f"{word} {name}", values))
    return [each for each in found if each is not None]


def _revisions(processes: Sequence[Process], store_revision: str | None) -> dict[str, str]:
    known = {each.id: str(each.facts.get("revision")) for each in processes}
    return {**known, "the store's tables": store_revision} if store_revision else known


def _names(processes: Iterable[Process], part: str) -> set[str]:
    return {name for each in processes for name in each.facts.get(part, {})}


def _text(value: Any) -> str:
    return "none" if value is None else json.dumps(value, sort_keys=True)


def _compared(what: str, values: Mapping[str, str]) -> Difference | None:
    counts = Counter(values.values())
    if len(counts) < 2:
        return None
    most = max(counts, key=lambda value: (counts[value], value))
    others: dict[str, list[str]] = {}
    for process, value in values.items():
        if value != most:
            others.setdefault(value, []).append(process)
    return Difference(what, most, {value: tuple(ids) for value, ids in others.items()})
