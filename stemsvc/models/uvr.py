"""Parameters of Ultimate Vocal Remover's networks, as its `model_data` files and audio-separator's have them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MDXNET = "mdxnet"
RATE, HOP = 44100, 1024  # UVR fixes both for every MDX-Net
TABLES = ("mdx_model_data", "vr_model_data")  # sections of audio-separator's table
HASHED = 10000 * 1024  # bytes at a file's end, whose MD5 is the file's key in a table
PAIRS = {"vocals": "instrumental", "instrumental": "vocals", "lead_only": "backing_only", "backing_only": "lead_only"}
_LOOSE = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class MDXNetData(BaseModel):
    """What a table says of an MDX-Net. `compensate` is what the stem is multiplied with."""

    model_config = _LOOSE

    mdx_n_fft_scale_set: int = Field(ge=512, le=32768)
    mdx_dim_f_set: int = Field(ge=16, le=16384)
    mdx_dim_t_set: int = Field(8, ge=4, le=11)  # a power of two
    compensate: float = Field(1.0, gt=0, le=10)
    primary_stem: str = Field(min_length=1, max_length=60)
    overlap: float = Field(0.25, ge=0, le=0.9)

    def network(self) -> dict[str, Any]:
        """The arguments of the engine's module. Raises `ValueError` where they do not fit each other."""
        n_fft, frames = self.mdx_n_fft_scale_set, 2**self.mdx_dim_t_set
        if self.mdx_dim_f_set > n_fft // 2 + 1:
            raise ValueError(f"mdx_dim_f_set: the transform has {n_fft // 2 + 1} bins")
        if n_fft >= HOP * (frames - 1) or n_fft < HOP:
            raise ValueError(f"mdx_n_fft_scale_set: does not fit a chunk of {frames} frames, or their distance {HOP}")
        return {
            "n_fft": n_fft,
            "hop_length": HOP,
            "dim_f": self.mdx_dim_f_set,
            "dim_t": frames,
            "compensate": self.compensate,
        }


def pair(primary: str, name: Any) -> tuple[str, str]:
    """The stem that is predicted and the other, by our names; `name` makes such a name of a published one.

    `no_` before a stem's name means the mixture less that stem, so "No Reverb" is `noreverb`, as in the presets.
    """
    mine = name(primary)
    if mine in PAIRS:
        return mine, PAIRS[mine]
    if mine.startswith("no_"):
        return mine.replace("_", "", 1), mine.removeprefix("no_")
    return mine, f"no{mine}"


def mark_of(weights: Path) -> str:
    """The file's key in such a table."""
    with weights.open("rb") as file:
        file.seek(max(weights.stat().st_size - HASHED, 0))
        return hashlib.md5(file.read(), usedforsecurity=False).hexdigest()


def parameters_of(weights: Path | None, config: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of one network: `config`, or where that is a table what it says of these weights, and what else.

    A table has the networks' parameters by the MD5 of their files' last bytes. Raises `ValueError` where it has nothing
    of these weights.
    """
    given = dict(config)
    for name in TABLES:
        given |= section if isinstance(section := given.pop(name, None), Mapping) else {}
    table = {key: given.pop(key) for key in list(given) if re.fullmatch(r"[0-9a-f]{32}", str(key))}
    if not table:
        return given
    if weights is None:
        raise ValueError("it is a table: name the parameters themselves, because the published bytes are not kept")
    mark = mark_of(weights)
    if mark not in table or not isinstance(table[mark], Mapping):
        raise ValueError(f"the table has no {mark}, which is the key of these weights")
    return {**table[mark], **given}
