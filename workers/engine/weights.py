"""Loading a catalog entry's weights with upstream's own code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stemsvc.catalog import ModelEntry
from stemsvc.errors import FatalError

if TYPE_CHECKING:
    from demucs.apply import BagOfModels


def load_model(entry: ModelEntry) -> BagOfModels:
    """The entry's network as a bag in evaluation mode, on the CPU. Raises `FatalError` `weights_unavailable`."""
    bag = _from_hub(entry) if entry.weights_path is None else _from_file(entry.name, entry.weights_path)
    bag.eval()
    if tuple(bag.sources) != entry.stems or bag.samplerate != entry.sample_rate:
        raise FatalError("weights_mismatch", f"the weights of {entry.name} are not of the model in the catalog")
    return bag


def _from_file(name: str, path: Path) -> BagOfModels:
    from demucs.apply import BagOfModels
    from demucs.hf import load_safetensors_model

    try:
        return BagOfModels([load_safetensors_model(path)])
    except Exception as error:
        raise FatalError("weights_unavailable", f"the weights of {name} can't be read from {path}: {error}") from error


def _from_hub(entry: ModelEntry) -> BagOfModels:
    from demucs.hf import get_hf_model

    try:
        return get_hf_model(entry.name)
    except (Exception, SystemExit) as error:  # demucs ends the process where a dependency (diffq) is missing
        raise FatalError(
            "weights_unavailable",
            f"the weights of {entry.name} are not on this machine and can't be fetched from Hugging Face "
            f"({type(error).__name__}). Connect the worker to the network, or copy to it a Hugging Face cache "
            "that holds them and point HF_HOME there; mdx_extra_q also needs the package diffq. "
            "The model `demo` needs no network.",
        ) from error
