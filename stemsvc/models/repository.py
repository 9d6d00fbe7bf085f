"""Makes a catalog entry of a generator's repository on the Hugging Face hub: which files it has, each with its hash."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemsvc.errors import WeightsMismatch, WeightsNotFound
from stemsvc.models import transfer
from stemsvc.models.generators import CONFIG, HUB, INDEX, NEEDED, GeneratorEntry, Generators
from stemsvc.models.pull import OnPull, Puller, silent
from stemsvc.models.source import DataFile

WHOLE = "model.safetensors"
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
FAMILIES = ("musicgen", "musicgen_melody")
# Of MusicGen's small decoder on two cores of an AMD EPYC; the work grows with the decoder's size.
SMALL, SMALL_COST = 420e6, 29.0
OTHER_MB, HALF = 1600, 2  # text encoder, codec and cache; bytes of a number of the decoder


def is_repository(source: str) -> bool:
    """Whether a source's words name a repository: no file has that name."""
    return re.fullmatch(HUB, source) is not None and not Path(source).exists()


def entry_of_repository(
    puller: Puller, hub: str, known: Generators, on_pull: OnPull = silent
) -> tuple[str, dict[str, Any]]:
    """The name and the fields of an entry for a repository, at the commit that it has now.

    The hub tells the hashes of weights; the small files are fetched. Raises `FatalError` `weights_not_found` where a
    file is lacking, `weights_mismatch` for what is no generator, and what `Puller.adopt` raises.
    """
    commit, there = transfer.published(hub)
    files = []
    for name in chosen(there, hub):
        file = DataFile(hub=hub, file=name, revision=commit, sha256=there[name].sha256, size=there[name].size)
        if file.sha256 is None:
            file, _ = puller.adopt(file, on_pull)
        files.append(file)
    config = next(file for file in files if file.filename == CONFIG)
    told = described(_read(puller.store.place(config)))
    same = next((entry for entry in known.entries if entry.hub == hub), None)
    pinned = {"hub": hub, "files": [file.model_dump(mode="json", exclude_none=True) for file in files]}
    if same is None:
        return hub.rpartition("/")[2], {"summary": f"added from {hub}", **told.fields, **pinned}
    facts = same.model_dump(exclude={"name", "files", *told.read}, exclude_defaults=True)
    return same.name, {**told.fields, **facts, **pinned}


@dataclass(frozen=True)
class Described:
    """The fields of an entry by its configuration. `read` are those that stand there; the others are worked out."""

    fields: dict[str, Any]
    read: tuple[str, ...] = ("family", "channels", "sample_rate")


def chosen(there: Mapping[str, Any], hub: str) -> Sequence[str]:
    """The names of the files that are needed. Raises `FatalError` `weights_not_found`."""
    shards = sorted(name for name in there if SHARD.fullmatch(name))
    weights = [WHOLE] if WHOLE in there else [INDEX, *shards] if INDEX in there and shards else []
    lacking = [name for name in NEEDED if name not in there] + ([] if weights else [WHOLE])
    if lacking:
        raise WeightsNotFound(f"{hub} has no {', '.join(lacking)}; pickles are not taken: convert them elsewhere")
    return [*NEEDED, *weights]


def described(config: Mapping[str, Any]) -> Described:
    """What a configuration says. Raises `FatalError` `weights_mismatch`."""
    try:
        family, decoder, codec = config["model_type"], config["decoder"], config["audio_encoder"]
        if family not in FAMILIES:
            raise WeightsMismatch(f"its model_type is {str(family)[:60]!r}; a generator is {' or '.join(FAMILIES)}")
        # of a layer: attention to itself, to the text where that is no prefix, and two layers of four times the width
        squares = 12 if family == "musicgen_melody" else 16
        size = squares * int(decoder["hidden_size"]) ** 2 * int(decoder["num_hidden_layers"])
        fields = {
            "family": family,
            "channels": int(decoder.get("audio_channels", 1)),
            "sample_rate": int(codec["sampling_rate"]),
            "cost": round(max(0.01, SMALL_COST * size / SMALL), 2),
            "memory_mb": OTHER_MB + round(HALF * size / 1e6),
        }
        GeneratorEntry.model_validate({"name": "x", "summary": "x", "licence": "x", **fields})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsMismatch("its config.json describes no generator") from error
    return Described(fields)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsMismatch("its config.json can't be read") from error
    return told if isinstance(told, dict) else {}
