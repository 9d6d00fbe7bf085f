"""Parameters of Ultimate Vocal Remover's family VR: networks that mask the spectra of a track's bands."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

VR = "vr"
LAYOUTS = Path(__file__).with_name("vr_params.yaml")
# Stems that are no accompaniment: their masks get a harder edge.
SOLO = (
    "vocals",
    "other",
    "bass",
    "drums",
    "guitar",
    "piano",
    "synthesizer",
    "strings",
    "woodwinds",
    "brass",
    "wind_inst",
)
CONTEXT, NEW_CONTEXT = 128, 64  # frames on each side of a window, whose mask is not used
_LOOSE = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())
Bin = Field(-1, ge=-1, le=16385)


class Band(BaseModel):
    """One band: its rate, its transform, the bins that the network hears, and where it fades in (hpf) and out (lpf)."""

    model_config = _LOOSE

    sr: int = Field(ge=4000, le=48000)
    hl: int = Field(ge=16, le=4096)
    n_fft: int = Field(ge=64, le=8192, multiple_of=2)
    crop_start: int = Field(ge=0)
    crop_stop: int = Field(ge=1)
    hpf_start: int = Bin
    hpf_stop: int = Bin
    lpf_start: int = Bin
    lpf_stop: int = Bin
    convert_channels: Literal["mid_side", "mid_side_c", "stereo_n"] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Band:
        bins = self.n_fft // 2 + 1
        if not self.crop_start < self.crop_stop <= bins or self.hl > self.n_fft:
            raise ValueError("the cropped bins or the hop do not fit n_fft")
        if max(self.hpf_start + 1, self.lpf_stop) > bins or self.lpf_start > self.lpf_stop:
            raise ValueError("a filter does not fit n_fft")
        if self.hpf_start >= 0 and not 0 < self.hpf_stop < self.hpf_start:
            raise ValueError("hpf_stop is not below hpf_start")
        return self


class Layout(BaseModel):
    """All bands, from the lowest to the highest, whose rate is the model's."""

    model_config = _LOOSE

    sr: int
    bins: int = Field(ge=32, le=8192, multiple_of=32)
    pre_filter_start: int = -1
    pre_filter_stop: int = -1
    mid_side: bool = False
    mid_side_b2: bool = False
    reverse: bool = False
    band: dict[int, Band] = Field(min_length=1, max_length=8)

    @model_validator(mode="before")
    @classmethod
    def _other_name(cls, given: Any) -> Any:
        return {**given, "bins": given["n_bins"]} if isinstance(given, Mapping) and "n_bins" in given else given

    @model_validator(mode="after")
    def _fits(self) -> Layout:
        bands = self.bands
        if self.reverse:
            raise ValueError("a network that hears the track backwards can't hear it as a stream")
        if sorted(self.band) != list(range(1, len(bands) + 1)) or bands[-1].sr != self.sr:
            raise ValueError("band: they are counted from 1, and the last one has the rate sr")
        if sum(each.crop_stop - each.crop_start for each in bands) > self.bins:
            raise ValueError("band: they have more bins than `bins`")
        if max(self.pre_filter_start, self.pre_filter_stop) > self.bins + 1:
            raise ValueError("pre_filter_start, pre_filter_stop: beyond the bins")
        for low, high in pairwise(bands):
            if high.sr % low.sr or high.hl * low.sr != low.hl * high.sr:
                raise ValueError("band: a rate is no whole part of the next one, or the hops do not last alike long")
            if low.lpf_start < 1 or (high is not bands[-1] and high.hpf_start < 0):
                raise ValueError("band: a filter between two bands is missing")
        return self

    @property
    def bands(self) -> list[Band]:
        """The bands from the lowest to the highest."""
        return [self.band[number] for number in sorted(self.band)]


class VRData(BaseModel):
    """What a table says of a network, and what its weights say of its size.

    Networks of version 5.1 have `nout` and `nout_lstm`; older ones have `channels` and `convolutions` (5, 6 or 7) in
    their pyramids. `aggression` is in percent, as Ultimate Vocal Remover's default.
    """

    model_config = _LOOSE

    vr_model_param: str | Layout
    primary_stem: str = Field(min_length=1, max_length=60)
    nout: int | None = Field(None, ge=4, le=512, multiple_of=4)
    nout_lstm: int | None = Field(None, ge=4, le=1024, multiple_of=4)
    channels: int | None = Field(None, ge=2, le=512, multiple_of=2)
    convolutions: Literal[5, 6, 7] = 5
    window_size: int = Field(512, ge=160, le=4096, multiple_of=32)
    aggression: int = Field(5, ge=-100, le=100)
    overlap: float = Field(0.0, ge=0, le=0.9)

    @model_validator(mode="after")
    def _sized(self) -> VRData:
        if (self.nout is None) != (self.nout_lstm is None) or (self.nout is None) == (self.channels is None):
            raise ValueError("say nout and nout_lstm, or channels and convolutions: the size of the network")
        if self.window_size <= 2 * self.context:
            raise ValueError(f"window_size: {2 * self.context} frames of it are context")
        return self

    @property
    def context(self) -> int:
        """Frames on each side of a window whose mask is not used."""
        return CONTEXT if self.nout is None else NEW_CONTEXT

    @property
    def layout(self) -> Layout:
        """The bands. Raises `ValueError`."""
        if isinstance(self.vr_model_param, Layout):
            return self.vr_model_param
        known = layouts()
        if self.vr_model_param not in known:
            raise ValueError(f"vr_model_param: {self.vr_model_param!r} is not one of {', '.join(known)}")
        return known[self.vr_model_param]

    def network(self, solo: bool) -> dict[str, Any]:
        """The arguments of the engine's module. Raises `ValueError`."""
        layout = self.layout
        if any(each.convert_channels for each in layout.bands) and self.nout is None:
            layout = layout.model_copy(  # only version 5.1 knows conversions of one band
                update={
                    "band": {at: each.model_copy(update={"convert_channels": None}) for at, each in layout.band.items()}
                }
            )
        sizes = {"nout": self.nout, "nout_lstm": self.nout_lstm}
        if self.nout is None:
            sizes = {"channels": self.channels, "convolutions": self.convolutions}
        return {"layout": layout, "context": self.context, "aggression": self.aggression, "solo": solo, **sizes}


def sizes_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The sizes of a network in the words of `VRData`, from the shapes of its weights."""
    new, lstm = shapes.get("stg3_full_band_net.enc1.conv.0.weight"), "stg3_full_band_net.lstm_dec2.lstm.weight_hh_l0"
    if new and lstm in shapes:
        return {"nout": new[0], "nout_lstm": 2 * shapes[lstm][1]}
    count = next((n for n in (7, 6) if f"stg1_low_band_net.aspp.conv{n}.conv.0.weight" in shapes), 5)
    first = shapes.get("stg1_low_band_net.enc1.conv1.conv.0.weight", (0,))
    return {"channels": first[0], "convolutions": count}


@functools.cache
def layouts() -> dict[str, Layout]:
    """The published layouts by their names."""
    return {name: Layout(**said) for name, said in yaml.safe_load(LAYOUTS.read_text(encoding="utf-8")).items()}
