"""The small networks that come with this package, run by OpenVINO on the CPU."""

from __future__ import annotations

import hashlib
import importlib.resources
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemsvc.errors import WeightsCorrupt

# In fp32 the result is the same on every CPU of a kind: a cached result is what the work would make again.
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY", "NUM_STREAMS": 1}
Run = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]


@lru_cache
def network(name: str, sha256: str, shape: tuple[int, ...]) -> Run:
    """The network in the file `models/<name>`, as a function of an input of that shape.

    Raises `FatalError` `weights_corrupt` for a file that is not the one of `sha256`.
    """
    file = importlib.resources.files("workers.kinds.transcribe") / "models" / name
    found = hashlib.sha256(content := file.read_bytes()).hexdigest()
    if found != sha256:
        raise WeightsCorrupt(f"{name} has the sha256 {found}, not {sha256}: install stemsvc again")
    core = _openvino().Core()
    model = core.read_model(content, b"")
    model.reshape(list(shape))
    compiled = core.compile_model(model, "CPU", EXACT)
    request = compiled.create_infer_request()

    def run(given: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        return [np.array(each) for each in request.infer([given], share_inputs=True).values()]

    return run


def _openvino() -> Any:
    """The module, imported without its telemetry, which would report to its vendor at import."""
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
