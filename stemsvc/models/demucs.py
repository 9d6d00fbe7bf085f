"""Demucs' networks, and the arguments that MSST's YAML files give them: `model` names the class and its section.

A checkpoint of demucs says its arguments itself. One that was trained by MSST is a bare state beside a YAML file. Names
and defaults are those of demucs' classes; a limit is far above what is published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

DEMUCS = ("htdemucs", "hdemucs", "demucs")
OVERLAP = 0.25  # as upstream cuts a track
# Of the published networks: seconds of computing for each second of a track, what a pool process needs, and the seconds
# of a segment, which a pass takes as a whole.
_COST = {"htdemucs": (0.18, 1200, 7.8), "hdemucs": (0.16, 5500, 44), "demucs": (0.16, 5500, 44)}
_PROCESS_MB = 700  # of the process without a network
# A track's last segment is always filled up; only one subband is known.
_HANDLED = ("use_train_segment", "num_subbands")

Count = Annotated[int, Field(ge=0, le=64)]
Some = Annotated[int, Field(ge=1, le=64)]
Wide = Annotated[int, Field(ge=1, le=4096)]
Number = Annotated[int | float, Field(ge=-1e6, le=1e6)]
Numbers = Annotated[list[Number], Field(max_length=16)]
Whole = Annotated[int, Field(ge=0, le=10**6)]


class Training(BaseModel):
    """The section `training`: what the network was trained to predict, and of what length."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    instruments: tuple[str, ...] = Field(min_length=1, max_length=64)
    segment: float = Field(gt=0)
    samplerate: int = Field(44100, ge=8000, le=192000)
    channels: Literal[2] = 2


class _Demucs(BaseModel):
    """What all three have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: Wide = 48
    growth: Annotated[int | float, Field(gt=0, le=8)] = 2
    depth: Annotated[int, Field(ge=1, le=10)] = 6
    rewrite: bool = True
    kernel_size: Some = 8
    stride: Some = 4
    context: Count = 1
    norm_starts: Count = 4
    norm_groups: Some = 4
    dconv_mode: Annotated[int, Field(ge=0, le=3)] = 1
    dconv_depth: Some = 2
    dconv_comp: Annotated[int | float, Field(gt=0, le=4096)] = 4
    dconv_init: Number = 1e-4
    rescale: Number = 0.1


class _OldDemucs(_Demucs):
    lstm_layers: Count = 0
    gelu: bool = True
    glu: bool = True
    dconv_attn: Count = 4
    dconv_lstm: Count = 4
    normalize: bool = True
    resample: bool = True


class _Hybrid(_Demucs):
    channels_time: Wide | None = None
    nfft: Annotated[int, Field(ge=64, le=32768)] = 4096
    wiener_iters: Literal[0] = 0  # they need Open-Unmix
    end_iters: Literal[0] = 0
    wiener_residual: bool = False
    cac: bool = True
    multi_freqs: Numbers | None = None
    multi_freqs_depth: Count = 2
    freq_emb: Number = 0.2
    emb_scale: Number = 10
    emb_smooth: bool = True
    time_stride: Some = 2
    context_enc: Count = 0


class _HDemucs(_Hybrid):
    hybrid: bool = True
    hybrid_old: bool = False
    dconv_attn: Count = 4
    dconv_lstm: Count = 4


class _HTDemucs(_Hybrid):
    num_subbands: Literal[1] = 1  # others are of MSST's own class
    use_train_segment: bool = True
    bottom_channels: Annotated[int, Field(ge=0, le=8192)] = 0
    t_layers: Count = 5
    t_emb: Literal["sin", "cape", "scaled"] = "sin"
    t_hidden_scale: Annotated[int | float, Field(gt=0, le=64)] = 4
    t_heads: Some = 8
    t_dropout: Annotated[float, Field(ge=0, lt=1)] = 0
    t_max_positions: Whole = 10000
    t_norm_in: bool = True
    t_norm_in_group: bool = False
    t_group_norm: bool = False
    t_norm_first: bool = True
    t_norm_out: bool = True
    t_max_period: Number = 10000
    t_weight_decay: Number = 0
    t_lr: Number | None = None
    t_layer_scale: bool = True
    t_gelu: bool = True
    t_weight_pos_embed: Number = 1
    t_sin_random_shift: Whole = 0
    t_cape_mean_normalize: bool = True
    t_cape_augment: bool = True
    t_cape_glob_loc_scale: Numbers | None = None
    t_sparse_self_attn: Literal[False] = False  # they need xformers
    t_sparse_cross_attn: Literal[False] = False
    t_mask_type: str = "diag"
    t_mask_random_seed: Whole = 42
    t_sparse_attn_window: Whole = 500
    t_global_window: Whole = 100
    t_sparsity: Number = 0.95
    t_auto_sparsity: bool = False
    t_cross_first: bool = False


_ARGUMENTS: Mapping[str, type[_Demucs]] = {"htdemucs": _HTDemucs, "hdemucs": _HDemucs, "demucs": _OldDemucs}


def arguments(family: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of demucs' class. Raises pydantic's `ValidationError`."""
    said = _ARGUMENTS[family].model_validate(dict(section)).model_dump(exclude_unset=True, exclude_none=True)
    return {name: value for name, value in said.items() if name not in _HANDLED}


def cost_of(family: str, segment: float) -> tuple[float, int]:
    """`cost` and `memory_mb` of a network with a segment of so many seconds, predicted from the published ones."""
    cost, memory, seconds = _COST[family]
    return cost, _PROCESS_MB + round((memory - _PROCESS_MB) * segment / seconds)
