"""What a kind of job must say of itself. All else (lease, retry, fairness, cache, webhooks, figures) knows no kind.

A kind is three files: this class's instance, a form for the api and a function for the workers. The instance names the
other two as strings, so that the core imports neither Flask nor an audio library. An entry point of the group
`stemsvc.kinds` registers it, under the kind's name.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from stemsvc.models.catalog import Catalog

P = TypeVar("P")


@dataclass(frozen=True)
class Role:
    """A place for inputs: what it is called, and how many may take it."""

    name: str = "source"
    least: int = 1
    most: int = 1


@dataclass(frozen=True)
class Needs:
    """What a job must have to be done: a model of the catalog or none, memory of the device in MB or any."""

    model: str | None = None
    memory_mb: int | None = None
    accelerated: bool = False  # whether a GPU makes it faster; if not, none is held for it where a CPU serves


class Kind(ABC, Generic[P]):
    """One kind of job. `P` is the type of its params."""

    name: ClassVar[str]
    form: ClassVar[str]  # `module:Class` of a `KindForm`, which the api loads
    work: ClassVar[str]  # `module:function` of `(params, inputs, attempt) -> Made`, which the workers load
    roles: ClassVar[tuple[Role, ...]] = (Role(),)
    modelled: ClassVar[bool] = False  # whether its jobs name a model of the catalog
    encodes: ClassVar[bool] = True  # whether its files are audio, written as the job's encoding says
    packages: ClassVar[tuple[str, ...]] = ()  # modules that its work imports and a worker may lack
    version: ClassVar[int] = 1  # raised where the same params and inputs give other files than before
    noun: ClassVar[str] = "files"  # what it makes, in the timeline
    advice: ClassVar[str] = "send a shorter track"  # to who asked for more computing than is given

    @abstractmethod
    def read(self, stored: Mapping[str, Any]) -> P:
        """The params of a form or a row. Keys that this release does not know are left out, those that lack get
        their defaults."""

    @abstractmethod
    def stored(self, params: P) -> dict[str, Any]:
        """The params as JSON, flat, by the names of the form: what a row keeps and clients see."""

    def check(self, params: P, inputs: Sequence[str], catalog: Catalog) -> P:
        """The params with what was left open filled in. Raises `UsageError` for what can't be done.

        `inputs` are the roles of the inputs, in their order.
        """
        return params

    @abstractmethod
    def cost(self, params: P, seconds: float, catalog: Catalog) -> float:
        """Seconds that two cores of an AMD EPYC compute for a track of `seconds`: what its owner's share is charged
        with, and what its time limit follows from."""

    def needs(self, params: P, catalog: Catalog) -> Needs:
        """What a pool must have for it. Raises `UsageError` `unknown_model`."""
        return Needs()

    def on_pool(self, params: P, precision: str | None) -> P:
        """The params as a pool of that precision does them, which may settle what the client left open."""
        return params

    def heard(self, params: P) -> dict[str, Any]:
        """Of the params what the result depends on, as JSON."""
        return self.stored(params)

    def shown(self, params: P) -> dict[str, Any]:
        """Fields of a job's body besides `params`: what clients of release 0.1 look at."""
        return {}

    def mirrored(self, params: P) -> dict[str, Any]:
        """What processes of release 0.1 must find in a row's options, so that they can read it in a rolling upgrade."""
        return {"model": ""}

    def lacking(self) -> list[str]:
        """Which of its packages this installation lacks."""
        return [name for name in self.packages if importlib.util.find_spec(name) is None]
