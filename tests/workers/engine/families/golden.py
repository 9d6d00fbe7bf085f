"""`python -m tests.workers.engine.families.golden` writes down some samples of what MSST makes of each case.

They are there where MSST is not, so that each run of the tests holds every family against it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests import msst
from tests.workers.engine.families.cases import CASES, CHUNK, Sound, music, state_of

PLACE = Path(__file__).with_name("golden.npz")
FRAMES = 3 * CHUNK + 17
EVERY = 331  # of the samples one is kept


def reference(name: str, mixture: Sound, **inference: int) -> dict[str, Sound]:
    """What MSST makes of a mixture with the case's network."""
    family, config = CASES[name]
    config = {**config, "inference": {**config["inference"], **inference}}
    network = msst.network(family, config)
    network.load_state_dict(state_of(network))
    return msst.separate(family, config, network, mixture)


def kept(name: str) -> dict[str, Sound]:
    """The samples that were written down, [samples, 2] of each stem."""
    with np.load(PLACE) as file:
        return {
            stem: file[f"{name}/{stem}"] for stem in (key.split("/")[1] for key in file if key.startswith(f"{name}/"))
        }


def main() -> None:
    """Write the file anew."""
    samples = {}
    for name in CASES:
        for stem, sound in reference(name, music(FRAMES)).items():
            samples[f"{name}/{stem}"] = np.ascontiguousarray(sound[::EVERY], np.float32)
    np.savez_compressed(PLACE, **samples)  # type: ignore[arg-type]
    print(f"{len(samples)} stems, {PLACE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
