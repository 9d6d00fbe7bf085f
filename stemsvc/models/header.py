"""What a safetensors file says of itself before its numbers: names, shapes, metadata. And whose network that is."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemsvc.errors import WeightsMismatch, WeightsUnreadable

MOST_BYTES = 100 << 20  # what safetensors itself allows
NAMED = 3  # names that an error lists


@dataclass(frozen=True)
class Header:
    """The tensors' shapes by their names, and the metadata."""

    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """The header of a safetensors file. Raises `FatalError` `weights_unreadable`."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > MOST_BYTES:
                raise WeightsUnreadable(f"{path.name} is no safetensors file")
            said: dict[str, Any] = json.loads(file.read(length))
        metadata = {str(key): str(value) for key, value in said.pop("__metadata__", {}).items()}
        return Header({name: tuple(map(int, tensor["shape"])) for name, tensor in said.items()}, metadata)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, struct.error) as error:
        raise WeightsUnreadable(f"{path.name} is no safetensors file: {str(error)[:100]}") from error


# What only the states of one family have, in an order in which the first match is right.
_MARKS = (
    ("mdx23c", r"encoder_blocks\.0\.tfc_tdf\.blocks\.0\."),
    ("scnet_masked", r"mask_layer\.0\.weight"),
    ("scnet_tran", r"separation_net\.dp_modules\.0\.time_layer\."),
    ("scnet", r"separation_net\.dp_modules\.0\.lstm_layers\."),
    ("vr", r"stg1_low_band_net\.(0\.)?enc1\."),
    ("bs_roformer", r"final_norm\.gamma"),
    ("mel_band_roformer", r"mask_estimators\.0\.to_freqs\.0\."),
    ("htdemucs", r"crosstransformer\.layers\."),
    ("hdemucs", r"(encoder|tencoder)\.0\.conv\.weight"),
    ("demucs", r"encoder\.0\.0\.weight"),
)


def family_of(names: Iterable[str]) -> str:
    """The family whose states have such names. Raises `FatalError` `weights_mismatch`."""
    names = list(names)
    for family, mark in _MARKS:
        if any(re.match(mark, name) for name in names):
            return family
    known = ", ".join(dict.fromkeys(family for family, _ in _MARKS))
    raise WeightsMismatch(
        f"the names in it are those of no family that is known here ({known}); they begin "
        f"with {', '.join(name[:60] for name in names[:NAMED]) or 'nothing'}"
    )
