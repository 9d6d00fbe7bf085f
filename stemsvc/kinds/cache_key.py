"""By what two jobs are the same: their inputs' bytes, what is heard of their params, the weights, the code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TypeVar

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.base import Kind

P = TypeVar("P")
# Raise it where jobs of any kind give other files than before; a kind's own `version` is for its own.
CODE_VERSION = 2


def cache_key(
    kind: Kind[P], params: P, encoding: Encoding, inputs: Sequence[str], device: str, weights: Sequence[str]
) -> str:
    """A hash of all that a result depends on.

    `inputs` and `weights` are the sha256 of each file, in order; `device` is what `auto` came to.
    """
    written = asdict(encoding)
    del written["filename_template"]  # names of downloads, which no file has in it
    told = {
        "code": [CODE_VERSION, kind.name, kind.version],
        "params": kind.heard(params),
        "encoding": written if kind.encodes else None,
        "inputs": list(inputs),
        "device": device,
        "weights": list(weights),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
