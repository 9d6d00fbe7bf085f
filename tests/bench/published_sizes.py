"""Networks of the published sizes against MSST's own, with the same random weights.

Each bundled model of MSST's families has its hyperparameters in the catalog. MSST builds its network of them, and makes
stems of a track by its own `demix`; the engine does the same. The tests hold small networks so; this shows that nothing
grows with the depth. `python -m tests.bench.published_sizes` prints the table; with `--seconds` chunks are shorter than
the published ones, which take minutes on two cores. It needs MSST: `python -m tests.msst` fetches it.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import stemsvc.models
from stemsvc.models.config import hyperparameters, needed
from tests import msst
from tests.workers.engine.families.cases import RATE, music, state_of
from tests.workers.engine.reference import snr
from workers.bench.table import Figure, Say, in_turn, machine, render
from workers.engine.bag import Bag, Chunked
from workers.engine.families.load import NETWORKS
from workers.engine.separate import Separator

CATALOG = Path(stemsvc.models.__file__).with_name("catalog.yaml")


def published() -> dict[str, tuple[str, dict[str, Any]]]:
    """The bundled models of MSST's families, by name: the family and the config."""
    models = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))["models"]
    return {
        name: (said["family"], said["config"]) for name, said in models.items() if said.get("family") in msst.CLASSES
    }


def figures(name: str, seconds: float | None, repeats: int, say: Say) -> Iterator[Figure]:
    """Fidelity and speed of one, on a track of one chunk."""
    family, config = published()[name]
    how = hyperparameters(family, needed(family, config))
    network = NETWORKS[family](**how.network)
    chunk = network.longest_chunk(how.chunk if seconds is None else round(seconds * RATE))
    config["audio"]["chunk_size"] = chunk
    config["inference"]["batch_size"] = 1
    theirs = msst.network(family, config)
    theirs.load_state_dict(state_of(theirs))
    network.load_state_dict(theirs.state_dict())
    cut = Chunked(network.requires_grad_(False).eval(), how.sample_rate, chunk, how.overlap, normalized=how.normalized)
    separator, track = Separator(Bag([cut], how.stems, rest=how.rest)), music(chunk)
    made: dict[str, dict[str, Any]] = {}

    say(f"{name}: {sum(each.numel() for each in network.parameters()) / 1e6:.1f} M parameters")
    took = in_turn(
        repeats,
        say,
        ours=lambda: made.update(ours=separator.separate_array(track, how.predicted)),
        msst=lambda: made.update(msst=msst.separate(family, config, theirs, track)),
    )
    least = min(snr(made["ours"][stem], made["msst"][stem]) for stem in how.predicted)
    detail = f"{chunk / RATE:.2f} s of music: {took['ours']:.1f} s, MSST {took['msst']:.1f} s"
    yield Figure(f"{name}: least stem against MSST", "its own network and `demix`", least, " dB", 100, floor=True)
    yield Figure(f"{name}: ours / MSST", detail, took["ours"] / took["msst"])


def main() -> int:
    """Print the table; returns 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="models of the catalog; all of MSST's families if not given")
    parser.add_argument("--seconds", type=float, help="length of a chunk; the published one if not given")
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    if not msst.here():
        parser.error("MSST is not here: python -m tests.msst fetches it")
    warnings.simplefilter("ignore")  # of theirs
    made: list[Figure] = []
    for name in options.names or published():
        made += figures(name, options.seconds, options.repeats, lambda text: print(text, file=sys.stderr))
    print(f"{machine('cpu')}; published sizes, random weights\n\n{render(made)}")
    return int(not all(figure.met for figure in made))


if __name__ == "__main__":
    sys.exit(main())
