"""What an ONNX file says of its graph: inputs, outputs, opset. Read without the packages that could run it.

ONNX is Protocol Buffers. Only the fields that are named here are followed, by their numbers in `onnx.proto3`.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemsvc.errors import WeightsRefused, WeightsUnreadable

GRAPH, METADATA, FUNCTIONS = 7, 14, 25  # of a model
NODES, INITIALIZERS, INPUTS, OUTPUTS, SPARSE = 1, 5, 11, 12, 15  # of a graph
ATTRIBUTES, DOMAIN = 5, 7  # of a node
TENSOR, SUBGRAPH, TENSORS, SUBGRAPHS = 5, 6, 10, 11  # of an attribute
TENSOR_NAME, EXTERNAL, LOCATION = 8, 13, 14  # of a tensor
OWN_DOMAINS = (b"", b"ai.onnx")
Field = tuple[int, Any]  # number, and an integer or the bytes


@dataclass(frozen=True)
class OnnxHeader:
    """The shapes of a graph's inputs and outputs by their names; None stands for a size that is not fixed."""

    inputs: dict[str, tuple[int | None, ...]]
    outputs: dict[str, tuple[int | None, ...]]


def read_onnx(path: Path) -> OnnxHeader:
    """What the file says. Raises `FatalError` `weights_unreadable`, `weights_refused` (it names other files or code).

    A graph may keep tensors in other files of the disk, whose paths it names, and may hold graphs and operators of its
    own. No published network that we run does.
    """
    try:
        with path.open("rb") as file:
            # closed by nobody: an error on its way still holds views of it
            return _header(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    except (OSError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise WeightsUnreadable(f"{path.name} is no ONNX file: {str(error)[:100]}") from error
    except WeightsRefused as error:
        raise WeightsRefused(f"{path.name}: {error.detail}") from error


def _header(model: memoryview) -> OnnxHeader:
    graphs = []
    for number, value in _fields(model):
        if number == FUNCTIONS:
            raise WeightsRefused("it has operators of its own")
        if number == GRAPH:
            graphs.append(_bytes(value))
    if len(graphs) != 1:
        raise ValueError(f"it has {len(graphs)} graphs")
    inputs: dict[str, tuple[int | None, ...]] = {}
    outputs: dict[str, tuple[int | None, ...]] = {}
    tensors = set()
    for number, value in _fields(graphs[0]):
        if number == NODES:
            _check_node(_bytes(value))
        elif number == INITIALIZERS:
            tensors.add(_check_tensor(_bytes(value)))
        elif number == SPARSE:
            raise WeightsRefused("it has sparse tensors")
        elif number in (INPUTS, OUTPUTS):
            name, shape = _value(_bytes(value))
            (inputs if number == INPUTS else outputs)[name] = shape
    # old files list their weights among the inputs
    return OnnxHeader({name: shape for name, shape in inputs.items() if name not in tensors}, outputs)


def _check_node(node: memoryview) -> None:
    for number, value in _fields(node):
        if number == DOMAIN and bytes(_bytes(value)) not in OWN_DOMAINS:
            raise WeightsRefused(f"it needs operators of {bytes(_bytes(value))[:60].decode(errors='replace')}")
        if number != ATTRIBUTES:
            continue
        for kind, part in _fields(_bytes(value)):
            if kind in (SUBGRAPH, SUBGRAPHS):
                raise WeightsRefused("it has graphs within its graph")
            if kind in (TENSOR, TENSORS):
                _check_tensor(_bytes(part))


def _check_tensor(tensor: memoryview) -> str:
    """The tensor's name."""
    name = ""
    for number, value in _fields(tensor):
        if number == EXTERNAL or (number == LOCATION and value):
            raise WeightsRefused("it keeps tensors in other files")
        if number == TENSOR_NAME:
            name = bytes(_bytes(value)).decode()
    return name


def _value(info: memoryview) -> tuple[str, tuple[int | None, ...]]:
    """Name and shape of an input or output: type (2), tensor type (1), shape (2), dimensions (1), size (1)."""
    name = ""
    shape: tuple[int | None, ...] = ()
    for number, value in _fields(info):
        if number == 1:
            name = bytes(_bytes(value)).decode()
        elif number == 2:
            shape = tuple(
                next((int(size) for known, size in _fields(_bytes(dimension)) if known == 1), None)
                for tensor in _among(_bytes(value), 1)
                for sizes in _among(tensor, 2)
                for dimension in _among(sizes, 1)
            )
    return name, shape


def _among(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (_bytes(value) for number, value in _fields(message) if number == wanted)


def _bytes(value: Any) -> memoryview:
    if not isinstance(value, memoryview):
        raise ValueError("a field is not what it should be")  # noqa: TRY004 - the caller makes one error of all
    return value


def _fields(message: memoryview) -> Iterator[Field]:
    """Each field of a message: its number, and an integer or its bytes, which are not copied."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a field has the wire type {wire}")
        if at + size > len(message):
            raise ValueError("it is cut off")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = message[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("an integer is too long")
