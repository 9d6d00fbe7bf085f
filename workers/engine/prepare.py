"""Chooses how a network runs on a device."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from workers.engine import kept, openvino
from workers.engine.bag import Chunked
from workers.engine.converting import OnConvert, unseen
from workers.engine.hybrid import can_take_apart
from workers.engine.networks import ChunkRunner, Network, TorchNetwork
from workers.engine.precision import Precision

log = logging.getLogger(__name__)


def prepare(
    network: Any,
    device: str,
    precision: Precision,
    threads: int = 0,
    cache: Path | None = None,
    compiled: bool = False,
    on_convert: OnConvert = unseen,
) -> Network:
    """The fastest faithful way to run `network` on `device`.

    On a CPU that is OpenVINO if it is installed and can run the network, else torch. `threads` 0 means all cores;
    `cache` is the folder for converted networks. `on_convert` hears of a conversion's progress; what it raises passes.
    """
    if isinstance(network, Chunked):
        return ChunkRunner(network, device, precision, threads)
    if device == "cpu" and can_take_apart(network) and kept.usable():
        try:
            return openvino.OpenVinoNetwork(network, precision, threads, cache, on_convert)
        except openvino.CannotConvert as error:
            log.warning("OpenVINO can't run this network, so torch runs it: %s", str(error).splitlines()[0])
    return TorchNetwork(network, device, precision, compiled)
