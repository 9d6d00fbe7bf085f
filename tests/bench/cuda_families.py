"""The families beside Demucs' on a card, with small random weights: `python -m tests.bench.cuda_families [DEVICE]`.

For each family: how near each precision comes to fp32 on the CPU, which agrees with the reference to 100 dB; the speed;
and the memory that batches take. Not MDX-Net: OpenVINO runs its graph on the CPU, also beside a card.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import torch

from tests.workers.engine.families.cases import CASES, RATE, bag_of, music
from tests.workers.engine.families.uvr import VRS, vr_bag
from tests.workers.engine.reference import snr
from workers.bench.table import Figure, Say, in_turn, machine, render
from workers.engine.bag import Bag
from workers.engine.separate import Separator

FAMILIES: Mapping[str, Callable[[], Bag]] = {
    **{name: partial(bag_of, name) for name in CASES if " " not in name},
    **{f"vr, {name}": partial(vr_bag, name) for name in VRS},
}
FLOORS = {"fp32": 100.0, "mixed": 60.0}
BATCHES = (1, 4, 16)


def figures(device: str, seconds: float, repeats: int, say: Say) -> Iterator[Figure]:
    """The figures of each family on that device."""
    mixture = music(round(seconds * RATE))
    for name, bag in FAMILIES.items():
        wanted = Separator(bag(), "cpu", "fp32").separate_array(mixture)
        for precision, floor in FLOORS.items():
            separator = Separator(bag(), device, precision)
            say(f"{name}, {precision}, {seconds:g} s of music on {device}")
            took = in_turn(repeats, say, ours=partial(separator.separate_array, mixture))["ours"]
            got = separator.separate_array(mixture)
            least = min(snr(got[stem], sound) for stem, sound in wanted.items())
            detail = f"{seconds / took:.1f} times real time, batches of {separator._batch.size(0)}"
            yield Figure(f"{name}, {precision}: least stem against fp32", detail, least, " dB", floor, floor=True)
        if device.startswith("cuda"):
            yield from memory(name, bag, device)


def memory(name: str, bag: Callable[[], Bag], device: str) -> Iterator[Figure]:
    """What a pass of each batch takes of the card's memory beside the weights."""
    separator = Separator(bag(), device, "mixed")
    network, chunk = separator.network(0), separator._bag.models[0].chunk
    for batch in BATCHES:
        wave = torch.zeros(batch, 2, chunk)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        network.start(wave, [0]).result()
        torch.cuda.synchronize(device)
        used = torch.cuda.max_memory_allocated(device) - before
        yield Figure(f"{name}: memory of a batch of {batch}", f"chunks of {chunk} samples", used / 1e6, " MB")


def main(device: str, output: Path | None) -> int:
    """Print the table, write it to `output` too; returns 1 where a bar is missed."""
    made = list(
        figures(device, 20.0 if device.startswith("cuda") else 1.0, 3, lambda text: print(text, file=sys.stderr))
    )
    text = f"{machine(device)}; small networks\n\n{render(made)}\n"
    print(text)
    if output is not None:
        output.write_text(text)
    return int(not all(figure.met for figure in made))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if sys.argv[1:] else "cuda", Path(sys.argv[2]) if sys.argv[2:] else None))
