"""What the catalog says of one model."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from stemsvc.models.config import FAMILIES, Hyperparameters, hyperparameters
from stemsvc.models.demucs import DEMUCS, OVERLAP
from stemsvc.models.source import WeightFile

CHAIN = "chain"


class Published(BaseModel):
    """How good a model is as its makers say: SDR in dB, the mean of its stems' on the test songs of `data`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    db: float
    data: str = Field(description="the songs it was measured on")
    source: str = Field(pattern=r"^https?://\S+$", description="where it stands")


class Step(BaseModel):
    """Models that hear the same, how they are combined, and which stems are taken of them.

    `models` are names with weights, or a list of names. `take` is {stem of the chain: stem of the models}, or a list of
    stems that keep their names. `min` and `max` take the quietest or the loudest number of each bin of the spectra.
    They hear what the steps before left; with `hears: mixture` the whole, and what they take nobody misses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: dict[str, float] = Field(min_length=1, max_length=16)
    combine: Literal["average", "min", "max"] = "average"
    take: dict[str, str] = Field(min_length=1)
    hears: Literal["left", "mixture"] = "left"

    @field_validator("models", mode="before")
    @classmethod
    def _equal(cls, given: Any) -> Any:
        return dict.fromkeys(given, 1.0) if isinstance(given, list) else given

    @field_validator("models")
    @classmethod
    def _positive(cls, given: dict[str, float]) -> dict[str, float]:
        if any(not 0 < weight < 1e6 for weight in given.values()):
            raise ValueError("weights are above 0")
        return given

    @field_validator("take", mode="before")
    @classmethod
    def _same(cls, given: Any) -> Any:
        return {name: name for name in given} if isinstance(given, list) else given


NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_-]*)?"
SLOW = 5.0  # seconds of computing for each second of a track: 20 minutes for a song of four


class ModelEntry(BaseModel):
    """One model: its stems in the networks' order, its native rate and segment, its weights.

    A model of several files is a bag: its networks' stems are averaged, by `bag_weights` [network][stem] where they
    are given. `cost` is in seconds of computing for each second of a track, without overlap, on two cores of an AMD
    EPYC; `memory_mb` is what a pool process needs at its peak.

    An ensemble or a chain has `steps`, which name other entries: see `stemsvc.models.chains`. So has a set, whose name
    is its models' with `+` between them: no catalog has it, for it is made when a job needs it.

    The other families than Demucs' have a `config`: MSST's sections or UVR's parameters, from which stems, rate and
    segment come where the entry does not say them. So has one of Demucs' that MSST trained, whose file does not say its
    arguments. `rest` is then the stem that no network predicts: it is the mixture less the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=rf"^{NAME}(\+{NAME})*$")
    summary: str
    family: Literal[
        "htdemucs",
        "hdemucs",
        "demucs",
        "bs_roformer",
        "mel_band_roformer",
        "mdx23c",
        "scnet",
        "scnet_tran",
        "scnet_masked",
        "mdxnet",
        "vr",
        "chain",
    ]
    stems: tuple[str, ...] = Field(min_length=1)
    sample_rate: int = Field(gt=0)
    segment_seconds: float = Field(gt=0)
    overlap: float = Field(
        OVERLAP, ge=0, le=0.9, description="share of a segment that the next one covers, where a job asks none"
    )
    rest: str | None = Field(None, description="the stem that is the mixture less the others")
    config: dict[str, Any] | None = Field(None, description="sections of MSST's YAML, or UVR's parameters")
    cost: float = Field(0.2, gt=0)
    memory_mb: int = Field(1000, gt=0)
    licence: str
    licence_doubt: str | None = Field(None, description="what is unsettled about the licence")
    sdr: Published | None = Field(None, description="its published signal-to-distortion ratio")
    deprecated: str | None = Field(None, description="why it should no longer be used")
    fallback: str | None = Field(None, description="the model to take where this one is not available")
    bag_weights: tuple[tuple[float, ...], ...] | None = None
    steps: tuple[Step, ...] = Field((), description="of an ensemble or a chain: which models it is made of")
    files: tuple[WeightFile, ...] = Field(min_length=1)
    _parts: dict[str, ModelEntry] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _bag_fits(self) -> ModelEntry:
        shape, predicted = {len(row) for row in self.bag_weights or ()}, len(self.stems) - (self.rest is not None)
        if self.bag_weights is not None and (len(self.bag_weights) != len(self.files) or shape != {predicted}):
            raise ValueError("bag_weights has a row for each file with a number for each stem")
        whole = self.family in DEMUCS and self.config is None
        if self.rest is not None and (self.rest not in self.stems or whole):
            raise ValueError("rest is a stem of a network that does not predict all of them")
        if self.config is None and self.family in FAMILIES:
            raise ValueError(f"config: the family {self.family} needs it")
        if self.config is not None and self.family == CHAIN:
            raise ValueError("config is for networks")
        if bool(self.steps) != (self.family == CHAIN):
            raise ValueError(f"steps are for the family {CHAIN}, and it needs them")
        return self

    @property
    def seconds(self) -> float:
        """Seconds of computing for each second of a track, at the model's own overlap, on the machine of `cost`."""
        return self.cost / (1 - self.overlap)

    @property
    def slow(self) -> bool:
        """Whether a CPU takes so long for a track that nobody should get the model there without a wish for it."""
        return self.seconds > SLOW

    @property
    def slowness(self) -> str:
        """The same in words."""
        return f"{self.seconds:.0f} s of a CPU for each second of a track"

    @property
    def parts(self) -> dict[str, ModelEntry]:
        """The entries that the steps name."""
        return self._parts

    @property
    def hyperparameters(self) -> Hyperparameters:
        """What the config says of the network."""
        return hyperparameters(self.family, self.config or {})

    @property
    def size(self) -> int | None:
        """Bytes to download; None where the catalog does not say."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def licence_words(self) -> str:
        """The licence, with what is unsettled about it in brackets."""
        return f"{self.licence} ({self.licence_doubt})" if self.licence_doubt else self.licence
