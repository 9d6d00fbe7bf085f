"""Which models this installation can't serve now, and why: by its pools, and by its workers' reports of weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from stemsvc.jobs.pools import Pool
from stemsvc.jobstore import JobStore
from stemsvc.models.catalog import Catalog, Unserved
from stemsvc.models.entry import ModelEntry

LACKING = "lacking"  # in a process's report: {model: why its weights can't be had there}


def unserved(catalog: Catalog, pools: Sequence[Pool], store: JobStore) -> Unserved:
    """What a catalog is told by `aware_of`. Each call asks the store what the live workers say.

    Weights count as there where no worker of the model lives: one that comes may fetch them.
    """

    def asked(device: str) -> dict[str, str]:
        serving = {entry.name: _serving(entry.name, pools, device) for entry in catalog.entries}
        lacking = _lacking({name: {pool.name for pool in each} for name, each in serving.items()}, store)
        refused = {entry.name: _refused(entry, serving[entry.name], device) for entry in catalog.entries}
        return {**lacking, **{name: why for name, why in refused.items() if why}}

    return asked


def slow(catalog: Catalog, pools: Sequence[Pool]) -> Unserved:
    """What a catalog is told as `unasked`: the slow models that only a CPU would compute."""

    def asked(device: str) -> dict[str, str]:
        return {
            entry.name: f"{entry.slowness}: name it to get it"
            for entry in catalog.entries
            if entry.slow and all(pool.kind == "cpu" for pool in _serving(entry.name, pools, device))
        }

    return asked


def _serving(model: str, pools: Sequence[Pool], device: str) -> list[Pool]:
    return [pool for pool in pools if pool.serves("separate", model) and device in ("auto", pool.kind, pool.device)]


def _refused(entry: ModelEntry, serving: Sequence[Pool], device: str) -> str:
    """Why no pool can run the model; empty where one can."""
    if not serving:
        return "no pool serves it" if device == "auto" else f"no pool serves it on {device}"
    most = max(pool.memory_mb or math.inf for pool in serving)
    return f"it needs {entry.memory_mb} MB, its pools have {most:.0f}" if most < entry.memory_mb else ""


def _lacking(serving: Mapping[str, set[str]], store: JobStore) -> dict[str, str]:
    """The models whose weights can't be had by any live worker of their pools (`serving`: names of them, by model)."""
    said = {each.id: each.facts.get(LACKING, {}) for each in store.processes.living()}
    pools = {each.worker.id: {*each.worker.pools} for each in store.workers.living() if each.worker.id in said}
    found: dict[str, str] = {}
    for model, names in serving.items():
        whys = [said[worker].get(model) for worker, served in pools.items() if served & names]
        if whys and all(whys):
            found[model] = str(whys[0])
    return found
