"""The families of networks beside Demucs', and the arguments that each takes, with limits.

Names and defaults are those of MSST's modules. A limit is far above what is published: it keeps a hostile file from
asking for a network that no machine holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

Size = Annotated[int, Field(ge=1, le=8192)]
Depth = Annotated[int, Field(ge=1, le=64)]
NoDepth = Annotated[int, Field(ge=0, le=64)]
Transform = Annotated[int, Field(ge=64, le=32768)]
Hop = Annotated[int, Field(ge=16, le=16384)]
Share = Annotated[float, Field(gt=0, lt=1)]
Three = Annotated[tuple[Size, ...], Field(min_length=3, max_length=3)]

# Keys of `model` that only training reads, or that say what we always do.
TRAINING = frozenset(
    {
        "attn_dropout",
        "ff_dropout",
        "flash_attn",
        "tran_attn_dropout",
        "tran_ff_dropout",
        "tran_flash_attn",
        "dim_freqs_in",
        "multi_stft_resolution_loss_weight",
        "multi_stft_resolutions_window_sizes",
        "multi_stft_hop_size",
        "multi_stft_normalized",
        "use_torch_checkpoint",
        "match_input_audio_length",
        "sources",
        "sage_attention",
    }
)


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _RoFormer(_Arguments):
    dim: Size
    depth: Depth
    stereo: bool = False
    num_stems: Annotated[int, Field(ge=1, le=64)] = 1
    time_transformer_depth: Depth = 2
    freq_transformer_depth: Depth = 2
    linear_transformer_depth: NoDepth = 0
    dim_head: Size = 64
    heads: Depth = 8
    stft_n_fft: Transform = 2048
    stft_hop_length: Hop = 512
    stft_win_length: Transform = 2048
    stft_normalized: bool = False
    zero_dc: bool = True
    mlp_expansion_factor: Annotated[int, Field(ge=1, le=32)] = 4
    skip_connection: bool = False

    @model_validator(mode="after")
    def _fits(self) -> _RoFormer:
        if not self.stereo:
            raise ValueError("stereo is false: networks of one channel are not supported")
        if self.dim_head % 2:
            raise ValueError(f"dim_head is {self.dim_head}: rotary positions turn pairs of features")
        if not self.stft_hop_length <= self.stft_win_length <= self.stft_n_fft:
            raise ValueError("a hop is at most a window, and a window at most the transform")
        return self


class _BSRoformer(_RoFormer):
    freqs_per_bands: Annotated[tuple[Annotated[int, Field(ge=1, le=16385)], ...], Field(max_length=1024)] | None = None
    mask_estimator_depth: Depth = 2

    @model_validator(mode="after")
    def _bands(self) -> _BSRoformer:
        bins = self.stft_n_fft // 2 + 1
        if self.freqs_per_bands is None:
            if bins != 1025:
                raise ValueError("freqs_per_bands: missing")
        elif sum(self.freqs_per_bands) != bins or len(self.freqs_per_bands) < 2:
            raise ValueError(f"freqs_per_bands: the bands have {sum(self.freqs_per_bands)} bins, the transform {bins}")
        return self


class _MelBandRoformer(_RoFormer):
    num_bands: Annotated[int, Field(ge=2, le=1024)] = 60
    sample_rate: int = Field(44100, ge=8000, le=192000)
    mask_estimator_depth: Depth = 1


class _MDX23C(_Arguments):
    n_fft: Transform
    hop_length: Hop
    dim_f: Size
    num_channels: Size
    num_subbands: Annotated[int, Field(ge=1, le=64)]
    num_scales: Annotated[int, Field(ge=0, le=10)]
    scale: tuple[Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]]
    num_blocks_per_scale: Depth
    growth: Annotated[int, Field(ge=0, le=4096)]
    bottleneck_factor: Size
    norm: str | None = "InstanceNorm"
    act: Annotated[str, Field(pattern=r"^(gelu|relu|elu\d*\.?\d+)$")] = "gelu"

    @model_validator(mode="after")
    def _fits(self) -> _MDX23C:
        smallest = self.num_subbands * self.scale[1] ** self.num_scales
        if self.dim_f > self.n_fft // 2 + 1 or self.dim_f % smallest or self.dim_f // smallest < self.bottleneck_factor:
            raise ValueError(f"audio.dim_f is {self.dim_f}, which the subbands, the scales or the bottleneck don't fit")
        return self


class _SCNet(_Arguments):
    audio_channels: Annotated[int, Field(ge=2, le=2)] = 2
    dims: Annotated[tuple[Size, ...], Field(min_length=2, max_length=16)] = (4, 32, 64, 128)
    nfft: Transform = 4096
    hop_size: Hop = 1024
    win_size: Transform = 4096
    normalized: bool = True
    band_SR: Annotated[tuple[Share, ...], Field(min_length=3, max_length=3)] = (  # noqa: N815 - as in the files
        0.175,
        0.392,
        0.433,
    )
    band_stride: Three = (1, 4, 16)
    band_kernel: Three = (3, 4, 16)
    conv_depths: Three = (3, 2, 1)
    compress: Annotated[int, Field(ge=1, le=1024)] = 4
    conv_kernel: Annotated[int, Field(ge=1, le=63)] = 3
    num_dplayer: Annotated[int, Field(ge=2, le=64, multiple_of=2)] = 6
    expand: Annotated[int, Field(ge=1, le=16)] = 1

    @model_validator(mode="after")
    def _fits(self) -> _SCNet:
        if self.dims[0] != 4:
            raise ValueError(f"dims: begins with {self.dims[0]}, and stereo has 4 parts")
        if min(self.dims[1:]) < self.compress or not self.conv_kernel % 2:
            raise ValueError("compress or conv_kernel does not fit dims")
        if not self.hop_size <= self.win_size <= self.nfft:
            raise ValueError("a hop is at most a window, and a window at most the transform")
        return self


class _SCNetTran(_SCNet):
    tran_rotary_embedding_dim: Annotated[int, Field(ge=2, le=1024, multiple_of=2)] = 64
    tran_depth: Depth = 1
    tran_heads: Depth = 8
    tran_dim_head: Size = 64

    @model_validator(mode="after")
    def _turns(self) -> _SCNetTran:
        if self.tran_rotary_embedding_dim > self.tran_dim_head:
            raise ValueError("tran_rotary_embedding_dim is more than tran_dim_head")
        return self


@dataclass(frozen=True)
class Architecture:
    """A family: its arguments, and where a config has them."""

    arguments: type[BaseModel]
    marks: frozenset[str]  # keys of `model` by which a config is known
    spectrum_in_audio: bool = False  # whether the transform stands in the section `audio`

    @property
    def fields(self) -> frozenset[str]:
        """The names of the arguments."""
        return frozenset(self.arguments.model_fields)

    def read(self, given: Mapping[str, Any], stems: int, sample_rate: int) -> dict[str, Any]:
        """The arguments of the engine's module. Raises pydantic's `ValidationError`, `ValueError`."""
        if "sample_rate" in self.fields:
            given = {"sample_rate": sample_rate, **given}
        read = self.arguments.model_validate(dict(given))
        arguments = read.model_dump(exclude_none=True)
        if "num_stems" in self.fields:
            if cast(Any, read).num_stems != stems:
                raise ValueError(f"model.num_stems is {cast(Any, read).num_stems}, but training names {stems}")
        else:
            arguments["stems"] = stems
        for ours in ("stereo", "audio_channels"):
            arguments.pop(ours, None)
        return arguments


ARCHITECTURES = {
    "bs_roformer": Architecture(_BSRoformer, frozenset({"dim", "freqs_per_bands"})),
    "mel_band_roformer": Architecture(_MelBandRoformer, frozenset({"dim", "num_bands"})),
    "mdx23c": Architecture(_MDX23C, frozenset({"num_subbands", "num_scales"}), spectrum_in_audio=True),
    "scnet": Architecture(_SCNet, frozenset({"dims", "band_stride"})),
    "scnet_tran": Architecture(_SCNetTran, frozenset({"dims", "tran_heads"})),
    "scnet_masked": Architecture(_SCNet, frozenset({"dims", "band_stride"})),
}
