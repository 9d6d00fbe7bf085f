"""The YAML files that MSST publishes describe its own networks: the same names and shapes of all weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from stemsvc.models.config import hyperparameters, needed, read_config
from stemsvc.models.demucs import DEMUCS
from tests import msst
from workers.engine.families.load import empty_network
from workers.engine.weights import of_config

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not msst.here(), reason="MSST is not here: python -m tests.msst fetches it"),
]
# By parts of their names, the first that fits; others are of families that are not here.
FAMILIES = {
    "unofficial": None,
    "stht": None,
    "conformer": None,
    "sage": None,  # MSST's own classes refuse them
    "htdemucs": "htdemucs",
    "demucs3_mmi": "hdemucs",
    "drumsep": "hdemucs",
    "scnet_tran": "scnet_tran",
    "scnet": "scnet",
    "mel_band_roformer": "mel_band_roformer",
    "bs_roformer": "bs_roformer",
    "mdx23c": "mdx23c",
}


def family_of(path: Path) -> str | None:
    return next((family for part, family in FAMILIES.items() if part in path.name), None)


FILES = sorted(path for path in (msst.folder() / "configs").rglob("*.yaml") if family_of(path))


def shapes(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def theirs(family: str, config: dict[str, Any]) -> Any:
    if family == "htdemucs":
        section = config["htdemucs"]
        numbers = {
            name: float(value) for name, value in section.items() if str(value)[:1].isdigit() and "e" in str(value)
        }
        return msst.htdemucs({**config, "htdemucs": {**section, **numbers}})
    if family == "hdemucs":
        from demucs.hdemucs import HDemucs

        said = config["training"]
        return HDemucs(said["instruments"], samplerate=said["samplerate"], segment=said["segment"], **config["hdemucs"])
    sections = {
        name: tuple(value) if isinstance(value, list) and name.endswith(("sizes", "per_bands")) else value
        for name, value in config["model"].items()
        if name != "sources"
    }
    return msst.network(family, {**config, "model": sections})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_describes_the_network_that_msst_makes_of_it(path: Path) -> None:
    family, config = str(family_of(path)), read_config(path)
    how = hyperparameters(family, needed(family, config))

    with torch.device("meta"):
        ours, wanted = of_config(how) if family in DEMUCS else empty_network(how), theirs(family, config)
    assert shapes(ours) == shapes(wanted)
    assert {*how.predicted} <= {name.lower() for name in config["training"]["instruments"]}
