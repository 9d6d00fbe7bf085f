"""An ONNX graph of one input and one output, run by OpenVINO on a CPU."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from workers.engine.families.network import Poll
from workers.engine.kept import available, cores, openvino

POLL_MS = 500


class CannotRun(Exception):
    """Raised when OpenVINO is not here, or does not know the graph or the shape."""


@dataclass(frozen=True)
class Work:
    """What a pass takes: floating-point operations, numbers of the weights, bytes of the largest tensor."""

    flops: int
    parameters: int
    largest: int


class Graph:
    """A graph for inputs of one shape. Raises `CannotRun`."""

    def __init__(self, path: Path, shape: tuple[int, ...], threads: int, *, fast: bool) -> None:
        model = read(path, shape)
        exact = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
        options: dict[str, Any] = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads or cores()}
        options |= {"INFERENCE_PRECISION_HINT": "bf16"} if fast else exact
        try:
            self._compiled: Any = openvino().Core().compile_model(model, "CPU", options)
        except Exception as error:  # OpenVINO documents no errors
            raise CannotRun(_words(error)) from error
        self._request: Any = self._compiled.create_infer_request()

    def run(self, spectrum: torch.Tensor, poll: Poll) -> torch.Tensor:
        """The output for an input of the shape. What `poll` raises ends the pass."""
        self._request.start_async([spectrum.cpu().contiguous().numpy()], share_inputs=True)
        try:
            while not self._request.wait_for(POLL_MS):
                poll()
        except BaseException:
            self._request.cancel()
            self._settle()
            raise
        return torch.from_numpy(self._request.get_output_tensor(0).data.copy()).to(spectrum.device)

    def rest(self) -> None:
        """Free the working memory."""
        self._compiled.release_memory()

    def _settle(self) -> None:
        try:
            self._request.wait()
        except RuntimeError:  # it says that it was cancelled
            return


def read(path: Path, shape: tuple[int, ...]) -> Any:
    """OpenVINO's model of the file for inputs of that shape. Raises `CannotRun`."""
    if not available():
        raise CannotRun("it is not installed")
    try:
        model = openvino().Core().read_model(path)
        model.reshape(list(shape))
        made = tuple(model.output(0).shape)
    except Exception as error:  # OpenVINO documents no errors
        raise CannotRun(_words(error)) from error
    if made != shape:
        raise CannotRun(f"it makes {list(made)} of {list(shape)}")
    return model


def work(path: Path, shape: tuple[int, ...]) -> Work:
    """What one pass takes. Raises `CannotRun`."""
    flops = parameters = largest = 0
    for node in read(path, shape).get_ordered_ops():
        kind = node.get_type_name()
        sizes = [math.prod(output.get_shape()) for output in node.outputs()]
        if kind == "Constant":
            parameters += sum(sizes)
            continue
        largest = max(largest, *sizes, 0)
        if kind in ("Convolution", "GroupConvolution"):
            flops += 2 * sizes[0] * math.prod(list(node.input(1).get_shape())[1:])
        elif kind in ("ConvolutionBackpropData", "GroupConvolutionBackpropData"):
            flops += 2 * math.prod(node.input(0).get_shape()) * math.prod(list(node.input(1).get_shape())[1:])
        elif kind == "MatMul":
            flops += 2 * sizes[0] * list(node.input(0).get_shape())[-1]
    return Work(flops, parameters, 4 * largest)


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[-200:]
