"""What a person wants of a separation, by a name: each preset lists, best first, the models that can do it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stemsvc.models.entry import ModelEntry


class Option(BaseModel):
    """One way to do what a preset names: the `model` of that name, or any of `families` that has the stems `having`.

    `stems` are what a job gets that names none: outputs of `stemsvc.kinds.separate.stems`; all stems where empty.
    `overlap`, `shifts` and `precision` are those of a job that leaves them open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    having: tuple[str, ...] = Field((), description="stems that any model must have to be taken")
    families: tuple[str, ...] = Field((), description="families of which it must be; empty: any")
    stems: tuple[str, ...] = Field((), description="what a job gets that names no stems; empty: all stems")
    overlap: float | None = Field(None, ge=0, le=0.9)
    shifts: int = Field(0, ge=0, le=20)
    precision: Literal["auto", "fp32", "mixed", "fast"] = "auto"

    @model_validator(mode="after")
    def _one_way(self) -> Option:
        if (self.model is None) == (not self.having):
            raise ValueError("an option names a model, or the stems that it must be having")
        if self.model is not None and self.families:
            raise ValueError("families go with having")
        return self

    def takes(self, entry: ModelEntry) -> bool:
        """Whether that model is one that it means."""
        if self.model is not None:
            return entry.name == self.model
        return {*self.having} <= {*entry.stems} and (not self.families or entry.family in self.families)

    @property
    def words(self) -> str:
        """What it asks for."""
        kin = f" of the family {' or '.join(self.families)}" if self.families else ""
        return self.model or f"a model{kin} with the stems {', '.join(self.having)}"


class Preset(BaseModel):
    """A name for what a person wants. The first of its `options` that can be served is taken.

    Of several models that an option means, the cheapest is taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    summary: str
    options: tuple[Option, ...] = Field(min_length=1)
    advice: str = Field("", description="what to add where no option can be served")
