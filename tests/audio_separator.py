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


def mdx_separator(weights: Path, data: dict[str, Any], overlap: float = 0.25) -> Any:
    """Its separator of an MDX-Net, with onnxruntime behind it."""
    import torch

    klass = _module("architectures.mdx_separator").MDXSeparator
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
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


def mdx_separate(weights: Path, data: dict[str, Any], mixture: Any, overlap: float = 0.25) -> tuple[Any, Any]:
    """The predicted stem and the other of a mixture [frames, 2].

    What its `demix` makes, with the gain that Ultimate Vocal Remover gives the stem; audio-separator itself uses that
    gain only for what it takes from the mixture. Its rescaling by the track's peak is left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it divides by the sums of windows also where they are 0
        stem = mdx_separator(weights, data, overlap).demix(mixture.T.copy()).T * data["compensate"]
    return stem, np.asarray(mixture - stem, np.float32)


def main() -> None:
    """Fetch it."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade", "--target", str(folder()), *PACKAGES]
    subprocess.run(pip, check=True)
    print(f"{PACKAGES[0]} is in {folder()}")


if __name__ == "__main__":
    main()
