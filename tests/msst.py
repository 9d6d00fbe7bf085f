"""`python -m tests.msst` fetches Music-Source-Separation-Training, which other families than Demucs' are held against.

It goes to `msst` in the virtual environment, with the few packages that its modules import; the folder `MSST` of the
environment takes its place where it is set. Nothing of it is in this repository. Tests that need it are skipped where
it is not. `--source` names another git repository to fetch it from.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any

SOURCE = "https://github.com/ZFTurbo/Music-Source-Separation-Training"
COMMIT = "ccc011abf7f89dd7922bb2888d48493b575c0289"
PACKAGES = (
    "absl-py==2.5.1",
    "audioread==3.1.0",
    "beartype==0.23.1",
    "cloudpickle==3.1.3",
    "decorator==5.3.1",
    "joblib==1.6.0",
    "lazy_loader==0.6",
    "librosa==0.11.0",
    "llvmlite==0.50.0",
    "ml_collections==1.1.0",
    "msgpack==1.2.4",
    "numba==0.68.1",
    "rotary-embedding-torch==0.9.1",
    "scikit-learn==1.9.1",
    "threadpoolctl==3.8.0",
    "tqdm==4.70.1",
)
CLASSES = {
    "bs_roformer": ("models.bs_roformer.bs_roformer", "BSRoformer"),
    "mel_band_roformer": ("models.bs_roformer.mel_band_roformer", "MelBandRoformer"),
    "mdx23c": ("models.mdx23c_tfc_tdf_v3", "TFC_TDF_net"),
    "scnet": ("models.scnet.scnet", "SCNet"),
    "scnet_tran": ("models.scnet.scnet_tran", "SCNet_Tran"),
    "scnet_masked": ("models.scnet.scnet_masked", "SCNet"),
}


def folder() -> Path:
    """Where it lies, or would."""
    return Path(os.environ.get("MSST") or Path(sys.prefix) / "msst")


def here() -> bool:
    """Whether it was fetched."""
    return (folder() / "utils" / "model_utils.py").exists()


def _module(name: str) -> types.ModuleType:
    for place in (folder(), folder() / "lib"):
        if str(place) not in sys.path:
            sys.path.append(str(place))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def network(family: str, config: dict[str, Any]) -> Any:
    """MSST's own network of a config."""
    module, name = CLASSES[family]
    klass = getattr(_module(module), name)
    if family == "mdx23c":
        return klass(_module("ml_collections").ConfigDict(config)).eval()
    sizes = dict(config["model"])
    if "freqs_per_bands" in sizes:
        sizes["freqs_per_bands"] = tuple(sizes["freqs_per_bands"])
    sources = {"sources": config["training"]["instruments"]} if family.startswith("scnet") else {}
    return klass(**sources, **sizes).eval()


def htdemucs(config: dict[str, Any]) -> Any:
    """MSST's own HTDemucs of a config. What its module imports beside is for reading YAML, and for other spectra."""
    for name, has in (("omegaconf", "OmegaConf"), ("openunmix", "filtering"), ("openunmix.filtering", "wiener")):
        module = sys.modules.setdefault(name, types.ModuleType(name))
        module.__dict__.setdefault(has, None)
    said = config["training"]
    more = {"audio_channels": said["channels"], "samplerate": said["samplerate"], "segment": said["segment"]}
    klass = _module("models.demucs4ht").HTDemucs
    return klass(sources=list(said["instruments"]), **more, **config["htdemucs"]).eval()


def separate(family: str, config: dict[str, Any], network: Any, mixture: Any) -> dict[str, Any]:
    """What MSST's `inference.py` makes of a mixture [frames, 2]: its `demix`, and its normalisation where asked."""
    import torch

    demix = _module("utils.model_utils").demix
    sound, mean, deviation = mixture.T.copy(), 0.0, 1.0
    if config["inference"].get("normalize"):
        mono = sound.mean(0)
        mean, deviation = mono.mean(), mono.std()
    sections = _module("ml_collections").ConfigDict(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = demix(sections, network, (sound - mean) / deviation, torch.device("cpu"), family)
    return {stem: (wave * deviation + mean).T for stem, wave in made.items()}


def main() -> None:
    """Fetch it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default=SOURCE)
    source, target = parser.parse_args().source, folder()
    target.mkdir(parents=True, exist_ok=True)
    git = ["git", "-C", str(target)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "fetch", "-q", "--depth", "1", source, COMMIT], check=True)
    subprocess.run([*git, "checkout", "-q", "-f", COMMIT], check=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target / "lib"), *PACKAGES]
    subprocess.run(pip, check=True)
    print(f"{SOURCE} at {COMMIT[:8]} is in {target}")


if __name__ == "__main__":
    main()
