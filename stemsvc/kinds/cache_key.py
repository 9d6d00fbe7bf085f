"""What makes two jobs the same: the bytes of their inputs, the params that count, the weights, the code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TypeVar

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.base import Kind

P = TypeVar("P")
# Raise it when jobs of every kind give other files than before. For one kind, raise that kind's `version`.
CODE_VERSION = 2


def cache_key(
    kind: Kind[P],
    params: P,
    encoding: Encoding,
    inputs: Sequence[str],
    device: str,
    weights: Sequence[str],
    names: Sequence[str] = (),
) -> str:
    """A hash of all that a result depends on.

    `inputs` and `weights` are the sha256 of each file, in order; `device` is the device that `auto` chose. `names` are
    those of the inputs, for a result that has them in it.
    """
    written = asdict(encoding)
    del written["filename_template"]  # it names downloads and changes no byte of a file
    parts = {
        "code": [CODE_VERSION, kind.name, kind.version],
        "params": kind.heard(params),
        "encoding": written if kind.encodes else None,
        "inputs": list(inputs),
        "device": device,
        "weights": list(weights),
    }
    if names:
        parts["names"] = list(names)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
