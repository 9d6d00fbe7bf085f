"""Networks of the published sizes against the reference's own, with the same random weights.

A bundled model has its hyperparameters in the catalog. The reference builds its network of them, and makes stems of a
track by its own overlap-add; the engine does the same. MSST is the reference of its families, audio-separator that of
MDX-Nets and VR. No network of VR is bundled: two have the sizes of published ones. The tests hold small networks so;
this shows that nothing grows with the depth. `python -m tests.bench.published_sizes` prints the table; with `--seconds`
chunks are shorter than the published ones, which take minutes on two cores. An MDX-Net's length is fixed in its graph.
It needs what `python -m tests.msst` and `python -m tests.audio_separator` fetch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import stemsvc.models
from stemsvc.models.config import hyperparameters, needed
from stemsvc.models.uvr import MDXNET
from stemsvc.models.vr import VR
from tests import audio_separator, msst
from tests.bench.published_mdx import write_published_mdx
from tests.workers.engine.families.cases import RATE, Sound, music, state_of
from tests.workers.engine.families.uvr import vr_state
from tests.workers.engine.reference import snr
from workers.bench.table import Figure, Say, in_turn, machine, render
from workers.engine.bag import Bag, Chunked
from workers.engine.families.load import NETWORKS
from workers.engine.families.mdxnet import MDXNet
from workers.engine.families.vr import VRNet
from workers.engine.separate import Separator

CATALOG = Path(stemsvc.models.__file__).with_name("catalog.yaml")
MSST, AUDIO_SEPARATOR = "MSST", "audio-separator"
# Networks of Ultimate Vocal Remover, by the names of their files: of the older kind, and of version 5.1.
VRS = {
    "6_HP-Karaoke-UVR": {"vr_model_param": "3band_44100_msb2", "primary_stem": "Instrumental", "channels": 32},
    "UVR-De-Echo-Normal": {"vr_model_param": "4band_v3", "primary_stem": "No Echo", "nout": 48, "nout_lstm": 128},
}


@dataclass(frozen=True)
class Pair:
    """One model twice, with the same weights, and a track of one chunk."""

    separator: Separator
    stems: tuple[str, ...]
    track: Sound
    reference: str
    theirs: Callable[[], Mapping[str, Sound]]
    parameters: int


def published() -> dict[str, tuple[str, dict[str, Any]]]:
    """The bundled models of these families, and VR's, by name: the family and the config."""
    models = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))["models"]
    bundled = {
        name: (said["family"], said["config"])
        for name, said in models.items()
        if said.get("family") in {*msst.CLASSES, MDXNET}
    }
    return bundled | {name: (VR, {"aggression": 5, "window_size": 512, **said}) for name, said in VRS.items()}


def of_msst(family: str, config: dict[str, Any], seconds: float | None, folder: Path) -> Pair:
    """A network of MSST's."""
    how = hyperparameters(family, needed(family, config))
    network = NETWORKS[family](**how.network)
    chunk = network.longest_chunk(how.chunk if seconds is None else round(seconds * RATE))
    config["audio"]["chunk_size"] = chunk
    config["inference"]["batch_size"] = 1
    theirs = msst.network(family, config)
    theirs.load_state_dict(state_of(theirs))
    network.load_state_dict(theirs.state_dict())
    cut = Chunked(network.requires_grad_(False).eval(), how.sample_rate, chunk, how.overlap, normalized=how.normalized)
    track = music(chunk)
    return Pair(
        Separator(Bag([cut], how.stems, rest=how.rest)),
        how.predicted,
        track,
        MSST,
        lambda: msst.separate(family, config, theirs, track),
        sum(each.numel() for each in network.parameters()),
    )


def of_mdxnet(family: str, config: dict[str, Any], seconds: float | None, folder: Path) -> Pair:
    """An MDX-Net, of a graph as long as the published one."""
    how = hyperparameters(family, config)
    bins, frames = config["mdx_dim_f_set"], 2 ** config["mdx_dim_t_set"]
    path = write_published_mdx(folder / "net.onnx", bins, frames)
    cut, track = Chunked(MDXNet(path, **how.network), how.sample_rate, how.chunk, how.overlap), music(how.chunk)

    def theirs() -> Mapping[str, Sound]:
        stem, _ = audio_separator.mdx_separate(path, config, track, threads=0)
        return {how.predicted[0]: stem}

    separator = Separator(Bag([cut], how.stems, rest=how.rest))
    return Pair(separator, how.predicted, track, AUDIO_SEPARATOR, theirs, path.stat().st_size // 4)


def of_vr(family: str, config: dict[str, Any], seconds: float | None, folder: Path) -> Pair:
    """A network of the family VR."""
    how = hyperparameters(family, config)
    network = VRNet(**how.network)
    theirs_network = audio_separator.vr_network({"convolutions": 5, **config}, network._layout.bins)
    theirs_network.load_state_dict(vr_state(theirs_network))
    network.load_state_dict(theirs_network.state_dict())
    chunk = how.chunk if seconds is None else network.longest_chunk(round(seconds * RATE))
    track = music(chunk)
    cut = Chunked(network.requires_grad_(False).eval(), how.sample_rate, chunk, how.overlap)

    def theirs() -> Mapping[str, Sound]:
        return dict(zip(how.stems, audio_separator.vr_separate(theirs_network, config, track), strict=True))

    separator = Separator(Bag([cut], how.stems, rest=how.rest))
    parameters = sum(each.numel() for each in network.parameters())
    return Pair(separator, how.stems, track, AUDIO_SEPARATOR, theirs, parameters)


def figures(name: str, seconds: float | None, repeats: int, say: Say) -> Iterator[Figure]:
    """Fidelity and speed of one, on a track of one chunk."""
    family, config = published()[name]
    with tempfile.TemporaryDirectory() as folder:
        pair = {MDXNET: of_mdxnet, VR: of_vr}.get(family, of_msst)(family, config, seconds, Path(folder))
        made: dict[str, Mapping[str, Sound]] = {}
        say(f"{name}: {pair.parameters / 1e6:.1f} M parameters")
        took = in_turn(
            repeats,
            say,
            ours=lambda: made.update(ours=pair.separator.separate_array(pair.track, pair.stems)),
            theirs=lambda: made.update(theirs=pair.theirs()),
        )
    # audio-separator's VR ends at the last whole hop of a track
    least = min(snr(made["ours"][stem][: len(made["theirs"][stem])], made["theirs"][stem]) for stem in pair.stems)
    detail = (
        f"{len(pair.track) / RATE:.2f} s of music: {took['ours']:.1f} s, {pair.reference} {took['theirs']:.1f} s; "
        f"{pair.parameters / 1e6:.1f} M parameters"
    )
    how = "its own network and overlap-add"
    yield Figure(f"{name}: least stem against {pair.reference}", how, least, " dB", 100, floor=True)
    yield Figure(f"{name}: ours / {pair.reference}", detail, took["ours"] / took["theirs"])


def main() -> int:
    """Print the table; returns 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="models of the catalog, or of VR; all of these families if not given")
    parser.add_argument("--seconds", type=float, help="length of a chunk; the published one if not given")
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    for reference, module in ((MSST, msst), (AUDIO_SEPARATOR, audio_separator)):
        if not module.here():
            parser.error(f"{reference} is not here: python -m {module.__name__} fetches it")
    warnings.simplefilter("ignore")  # of theirs
    made: list[Figure] = []
    for name in options.names or published():
        made += figures(name, options.seconds, options.repeats, lambda text: print(text, file=sys.stderr))
    print(f"{machine('cpu')}; published sizes, random weights\n\n{render(made)}")
    return int(not all(figure.met for figure in made))


if __name__ == "__main__":
    sys.exit(main())
