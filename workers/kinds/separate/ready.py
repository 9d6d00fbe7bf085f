"""Converts a model's networks for this machine's CPU before a job needs them, in a process of its own.

`python -m workers.kinds.separate.ready NAME` prints a line of JSON for each step, {done, total}, and at the end
{networks, error}: how many networks lie converted in the cache, or what went wrong.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from stemsvc.errors import StemsvcError
from stemsvc.host.folders import shared_folder
from stemsvc.models.catalog import load_catalog
from stemsvc.models.demucs import DEMUCS
from stemsvc.models.entry import ModelEntry
from stemsvc.models.pull import Puller
from stemsvc.models.store import WeightStore
from stemsvc.settings import Settings
from workers.engine.converting import share
from workers.engine.hybrid import can_take_apart
from workers.engine.openvino import CannotConvert, keep_converted
from workers.engine.weights import load_model


def ready(entry: ModelEntry, settings: Settings) -> int:
    """Convert the entry's networks, whose weights are here, and return how many lie converted in the cache.

    Other families than Demucs' have nothing to convert. Raises what loading the weights does.
    """
    puller = Puller(WeightStore(settings.weights_dir), offline=True)
    shared_folder(settings.resolved_cache_dir)
    parts = [part for part in (entry.parts.values() or [entry]) if part.family in DEMUCS]
    bags = [load_model(part, puller.ensure(part)) for part in parts]
    networks: list[Any] = [network for bag in bags for network in bag.models if can_take_apart(network)]
    done = 0
    for index, network in enumerate(networks):
        try:
            keep_converted(network, settings.resolved_cache_dir, share(_say, index, len(networks)))
            done += 1
        except CannotConvert:  # torch runs it
            continue
    return done


def _say(done: int, total: int) -> None:
    print(json.dumps({"done": done, "total": total}), flush=True)


def main(name: str) -> None:
    """Convert the model of that name of the settings' catalog."""
    settings = Settings()
    try:
        networks = ready(load_catalog(settings.catalog).get(name), settings)
        said: dict[str, Any] = {"networks": networks, "error": None}
    except StemsvcError as error:
        said = {"networks": 0, "error": f"{error.code}: {error.detail}"}
    except OSError as error:
        said = {"networks": 0, "error": f"{settings.resolved_cache_dir}: {error.strerror}"}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
