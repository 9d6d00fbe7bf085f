"""`AUDIO_SEPARATOR=... python -m tests.workers.engine.families.golden_uvr` writes down what audio-separator makes.

Some samples of each case are kept, so that each run of the tests holds MDX-Net and VR against it also where it is not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests import audio_separator
from tests.workers.engine.families.cases import Sound, music
from tests.workers.engine.families.uvr import MDX, VRS, mdx_file, vr_bag, vr_state

PLACE = Path(__file__).with_name("golden_uvr.npz")
FRAMES = 70_017
EVERY = 331  # of the samples one is kept


def kept(name: str) -> dict[str, Sound]:
    """The samples that were written down, [samples, 2] of each stem."""
    with np.load(PLACE) as file:
        return {key.split("/")[1]: file[key] for key in file if key.startswith(f"{name}/")}


def vr_reference(name: str, mixture: Sound, *, augmented: bool = False) -> dict[str, Sound]:
    """What audio-separator makes of a mixture with that network of the family VR."""
    bag = vr_bag(name)
    network = audio_separator.vr_network(VRS[name], bag.models[0].network._layout.bins)
    network.load_state_dict(vr_state(network))
    return dict(
        zip(bag.sources, audio_separator.vr_separate(network, VRS[name], mixture, augmented=augmented), strict=True)
    )


def main() -> None:
    """Write the file anew."""
    vocals, rest = audio_separator.mdx_separate(mdx_file(), MDX, music(FRAMES))
    samples = {"mdxnet/vocals": vocals, "mdxnet/instrumental": rest}
    for name in VRS:
        samples |= {f"{name}/{stem}": sound for stem, sound in vr_reference(name, music(FRAMES)).items()}
    kept = {name: np.ascontiguousarray(sound[::EVERY], np.float32) for name, sound in samples.items()}
    np.savez_compressed(PLACE, **kept)  # type: ignore[arg-type]
    print(f"{len(samples)} stems, {PLACE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
