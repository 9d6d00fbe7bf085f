"""`python -m tests.audio_separator` fetches audio-separator, which MDX-Net and VR are held against.

It goes to `audio_separator` in the virtual environment, with the packages that its modules import; the folder
`AUDIO_SEPARATOR` of the environment takes its place where it is set. Nothing of it is in this repository. Tests that
need it are skipped where it is not.
"""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = (
    "audio-separator==0.47.1",
    "audioread==3.1.0",
    "cloudpickle==3.1.3",
    "decorator==5.3.1",
    "flatbuffers==25.12.19",
    "joblib==1.6.0",
    "lazy_loader==0.6",
    "librosa==0.11.0",
    "llvmlite==0.50.0",
    "msgpack==1.2.4",
    "numba==0.68.1",
    "onnxruntime==1.32.0",
    "pooch==1.9.0",
    "pydub==0.25.1",
    "resampy==0.4.3",
    "samplerate==0.2.4",
    "scikit-learn==1.9.1",
    "six==1.17.0",
    "threadpoolctl==3.8.0",
    "tqdm==4.70.1",
)
HOP = 1024


def folder() -> Path:
    """Where it lies, or would."""
    return Path(os.environ.get("AUDIO_SEPARATOR") or Path(sys.prefix) / "audio_separator")


def here() -> bool:
    """Whether it was fetched."""
    return (folder() / "audio_separator" / "__init__.py").exists()


def _module(name: str) -> types.ModuleType:
    if str(folder()) not in sys.path:
        sys.path.append(str(folder()))
    # only another length of chunk than the network's own would need it, and it needs torchvision
    sys.modules.setdefault("onnx2torch", types.ModuleType("onnx2torch"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"audio_separator.separator.{name}")


def mdx_separator(weights: Path, data: dict[str, Any], overlap: float = 0.25, threads: int = 1) -> Any:
    """Its separator of an MDX-Net, with onnxruntime behind it; as many threads as cores if they are 0."""
    import torch

    klass = _module("architectures.mdx_separator").MDXSeparator
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    made = object.__new__(klass)
    made.__dict__ |= {
        "logger": logging.getLogger("audio-separator"),
        "hop_length": HOP,
        "segment_size": 2 ** data["mdx_dim_t_set"],
        "dim_f": data["mdx_dim_f_set"],
        "n_fft": data["mdx_n_fft_scale_set"],
        "overlap": overlap,
        "batch_size": 1,
        "enable_denoise": False,
        "torch_device": torch.device("cpu"),
        "model_run": lambda spectrum: session.run(None, {"input": spectrum.cpu().numpy()})[0],
    }
    return made


def mdx_forward(weights: Path, data: dict[str, Any], wave: Any) -> Any:
    """What its `run_model` makes of one chunk, a tensor [1, 2, samples]: [2, samples], with the stem's gain."""
    separator = mdx_separator(weights, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        separator.initialize_model_settings()
        return separator.run_model(wave)[0] * data["compensate"]


def mdx_separate(
    weights: Path, data: dict[str, Any], mixture: Any, overlap: float = 0.25, threads: int = 1
) -> tuple[Any, Any]:
    """The predicted stem and the other of a mixture [frames, 2].

    What its `demix` makes, with the gain that Ultimate Vocal Remover gives the stem; audio-separator itself uses that
    gain only for what it takes from the mixture. Its rescaling by the track's peak is left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it divides by the sums of windows also where they are 0
        stem = mdx_separator(weights, data, overlap, threads).demix(mixture.T.copy()).T * data["compensate"]
    return stem, np.asarray(mixture - stem, np.float32)


def vr_network(data: dict[str, Any], bins: int) -> Any:
    """Its network of a small size: `VRData` says what the numbers are."""
    if "nout" in data:
        nets = _module("uvr_lib_v5.vr_network.nets_new")
        return nets.CascadedNet(bins * 2, 0, nout=data["nout"], nout_lstm=data["nout_lstm"]).eval()
    size = data["channels"]
    capacity = [(2, size), (2, size), (size + 2, size // 2, 1, 1, 0), (size // 2, size)]
    capacity += [(2 * size + 2, size, 1, 1, 0), (size, 2 * size), (2 * size, 2, 1), (size, 2, 1), (size, 2, 1)]
    kind = {5: 31191, 6: 129605, 7: 33966}[data["convolutions"]]
    return _module("uvr_lib_v5.vr_network.nets").CascadedASPPNet(bins * 2, capacity, kind).eval()


def vr_separator(network: Any, data: dict[str, Any], mixture: Any, *, augmented: bool = False) -> Any:
    """Its separator of a network of the family VR, for a mixture [frames, 2]."""
    import torch

    klass = _module("architectures.vr_separator").VRSeparator
    layouts = folder() / "audio_separator" / "separator" / "uvr_lib_v5" / "vr_network" / "modelparams"
    parameters = _module("uvr_lib_v5.vr_network.model_param_init").ModelParameters(
        str(layouts / f"{data['vr_model_param']}.json")
    )
    made = object.__new__(klass)
    made.__dict__ |= {
        "logger": logging.getLogger("audio-separator"),
        "model_params": parameters,
        "model_run": network,
        "is_vr_51_model": "nout" in data,
        "audio_file_path": mixture,
        "wav_subtype": "FLOAT",
        "torch_device": torch.device("cpu"),
        "torch_device_mps": None,
        "high_end_process": False,
        "enable_tta": augmented,
        "enable_post_process": False,
        "batch_size": 1,
        "window_size": data["window_size"],
        "primary_stem_name": data["primary_stem"],
        "aggressiveness": {
            "value": data["aggression"] / 100,
            "split_bin": parameters.param["band"][1]["crop_stop"],
            "aggr_correction": parameters.param.get("aggr_correction"),
        },
    }
    return made


def vr_separate(network: Any, data: dict[str, Any], mixture: Any, *, augmented: bool = False) -> tuple[Any, Any]:
    """Both stems [samples, 2], which end at the last whole hop of the track."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        separator = vr_separator(network, data, mixture, augmented=augmented)
        spectra = separator.inference_vr(separator.loading_mix(), separator.torch_device, separator.aggressiveness)
        first, other = (separator.spec_to_wav(np.nan_to_num(each)) for each in spectra)
    return np.asarray(first.T, np.float32), np.asarray(other.T, np.float32)


def main() -> None:
    """Fetch it."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade", "--target", str(folder()), *PACKAGES]
    subprocess.run(pip, check=True)
    print(f"{PACKAGES[0]} is in {folder()}")


if __name__ == "__main__":
    main()
