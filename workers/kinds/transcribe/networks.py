"""The small networks that come with this package, run by OpenVINO on the CPU."""

from __future__ import annotations

import hashlib
import importlib.resources
import sys
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemsvc.errors import WeightsCorrupt

AT_ONCE = 2  # inputs, each on a core of its own: one input gains little from a second core
# In fp32 the result is the same on every CPU of a kind: a cached result is what the work would make again.
EXACT = {
    "INFERENCE_PRECISION_HINT": "f32",
    "EXECUTION_MODE_HINT": "ACCURACY",
    "NUM_STREAMS": AT_ONCE,
    "INFERENCE_NUM_THREADS": AT_ONCE,
}
Array = NDArray[np.float32]
Run = Callable[[Sequence[Array]], list[list[Array]]]


@lru_cache
def network(name: str, sha256: str, shape: tuple[int, ...]) -> Run:
    """The network in the file `models/<name>`, as a function of inputs of that shape; it gives each one's outputs.

    Raises `FatalError` `weights_corrupt` for a file that is not the one of `sha256`.
    """
    file = importlib.resources.files("workers.kinds.transcribe") / "models" / name
    found = hashlib.sha256(content := file.read_bytes()).hexdigest()
    if found != sha256:
        raise WeightsCorrupt(f"{name} has the sha256 {found}, not {sha256}: install stemsvc again")
    openvino = _openvino()
    core = openvino.Core()
    model = core.read_model(content, b"")
    model.reshape(list(shape))
    queue = openvino.AsyncInferQueue(core.compile_model(model, "CPU", EXACT), AT_ONCE)
    lock = threading.Lock()

    def run(inputs: Sequence[Array]) -> list[list[Array]]:
        outputs: list[list[Array]] = [[] for _ in inputs]

        def keep(request: Any, number: int) -> None:
            outputs[number] = [np.array(each) for each in request.results.values()]

        with lock:
            queue.set_callback(keep)
            for number, each in enumerate(inputs):
                queue.start_async([each], number, share_inputs=True)
            queue.wait_all()
        return outputs

    return run


def _openvino() -> Any:
    """The module, imported without its telemetry, which would report to its vendor at import."""
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
