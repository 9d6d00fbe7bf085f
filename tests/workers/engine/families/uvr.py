"""Small networks as Ultimate Vocal Remover's, of weights that every machine makes alike."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stemsvc.models.config import hyperparameters
from stemsvc.models.uvr import MDXNET
from stemsvc.models.vr import VR
from tests.workers.engine.families.cases import state_of
from workers.engine.bag import Bag, Chunked
from workers.engine.families.mdxnet import MDXNet
from workers.engine.families.vr import VRNet

# The chunk is 31,744 samples, of which 29,696 count.
MDX = {
    "compensate": 1.035,
    "mdx_dim_f_set": 768,
    "mdx_dim_t_set": 5,
    "mdx_n_fft_scale_set": 2048,
    "primary_stem": "Vocals",
}
MDX_CHUNK = 1024 * 31
_VR = {"primary_stem": "Vocals", "aggression": 5}
# By name: what a table and the weights say.
VRS: dict[str, dict[str, Any]] = {
    "four bands": {**_VR, "vr_model_param": "4band_v3", "channels": 4, "convolutions": 5, "window_size": 288},
    "mid and side": {
        **_VR,
        "vr_model_param": "3band_44100_msb2",
        "primary_stem": "Instrumental",
        "channels": 4,
        "convolutions": 7,
        "window_size": 320,
    },
    "one band": {
        **_VR,
        "vr_model_param": "1band_sr44100_hl512",
        "channels": 4,
        "convolutions": 6,
        "window_size": 320,
        "aggression": 0,
    },
    "new": {**_VR, "vr_model_param": "4band_v3_sn", "nout": 8, "nout_lstm": 8, "window_size": 160},
    "new fullband": {
        **_VR,
        "vr_model_param": "4band_v4_ms_fullband",
        "primary_stem": "No Reverb",
        "nout": 8,
        "nout_lstm": 8,
        "window_size": 192,
    },
}


def write_mdx(path: Path, data: dict[str, Any] = MDX, *, batch: int | str = "batch_size", seed: int = 5) -> Path:
    """A U-Net of one scale with a bottleneck along the frequencies, as an ONNX file."""
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(seed)
    bins, frames, wide = data["mdx_dim_f_set"], 2 ** data["mdx_dim_t_set"], 6
    tensors, nodes = [], []

    def tensor(name: str, *shape: int, spread: float = 0.5, centre: float = 0.0) -> str:
        fan = int(np.prod(shape[1:])) or 1
        numbers = centre + spread * rng.normal(size=shape) / np.sqrt(fan if len(shape) > 1 else 1)
        tensors.append(
            numpy_helper.from_array(
                np.abs(numbers).astype(np.float32) if name == "var" else numbers.astype(np.float32), name
            )
        )
        return name

    def node(kind: str, inputs: list[str], output: str, **how: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **how))
        return output

    x = node("Conv", ["input", tensor("w0", wide, 4, 1, 1, spread=1.5), tensor("b0", wide, spread=0.1)], "x0")
    mean, var = tensor("mean", wide, spread=0.1), tensor("var", wide, spread=0.1, centre=1.0)
    x = node("BatchNormalization", [x, tensor("g", wide, spread=0.1, centre=1.0), tensor("b", wide), mean, var], "x1")
    x = node("Transpose", [node("Relu", [x], "x2")], "x3", perm=[0, 1, 3, 2])
    low = node("Conv", [x, tensor("w1", 2 * wide, wide, 2, 2, spread=1.2)], "x4", strides=[2, 2])
    thin = node("MatMul", [node("Relu", [low], "x5"), tensor("l0", bins // 2, 16, spread=4.0)], "x6")
    low = node("Add", [low, node("MatMul", [thin, tensor("l1", 16, bins // 2, spread=1.0)], "x7")], "x8")
    high = node("ConvTranspose", [low, tensor("w2", 2 * wide, wide, 2, 2, spread=1.2)], "x9", strides=[2, 2])
    joined = node("Mul", [node("Relu", [high], "x10"), x], "x11")
    joined = node("Transpose", [node("Add", [joined, x], "x12")], "x13", perm=[0, 1, 3, 2])
    node("Conv", [joined, tensor("w3", 4, wide, 1, 1)], "output")
    shape = [batch, 4, bins, frames]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("input", "output")]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], tensors)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@functools.cache
def mdx_file() -> Path:
    """The file of the network, made once."""
    return write_mdx(Path(tempfile.mkdtemp(prefix="mdx-")) / "net.onnx")


def mdx_bag(path: Path | None = None, data: dict[str, Any] = MDX) -> Bag:
    """The network as a bag."""
    how = hyperparameters(MDXNET, data)
    network = MDXNet(path or mdx_file(), **how.network)
    return Bag([Chunked(network.eval(), how.sample_rate, how.chunk, how.overlap)], how.stems, rest=how.rest)


def vr_state(network: Any) -> dict[str, torch.Tensor]:
    """Numbers for a network of the family VR: norms that pass what comes, and weights that keep its size."""
    made = state_of(network)
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            made[name] = tensor
        elif name.endswith("running_var"):
            made[name] = 1 + made[name].abs()
        elif tensor.ndim == 1 and name.endswith("weight"):
            made[name] = 1 + made[name]
        elif tensor.ndim > 1:
            made[name] = made[name] * 2
    for name in made:  # one module stands under both names
        made[name] = (
            made[name.replace(".conv6.", ".conv7.")] if name.replace(".conv6.", ".conv7.") in made else made[name]
        )
    return made


def vr_bag(name: str) -> Bag:
    """The network of that name as a bag."""
    how = hyperparameters(VR, VRS[name])
    network = VRNet(**how.network)
    network.load_state_dict(vr_state(network))
    chunked = Chunked(network.requires_grad_(False).eval(), how.sample_rate, how.chunk, how.overlap)
    return Bag([chunked], how.stems, rest=how.rest)
