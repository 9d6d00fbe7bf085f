"""What a kind of job must define. The other parts (lease, retry, fairness, cache, webhooks, metrics) know no kind.

A kind is three files: an instance of `Kind`, a form for the api and a function for the workers. The instance names the
other two as strings, so that the core imports neither Flask nor an audio library. An entry point of the group
`stemsvc.kinds` registers it, under the kind's name.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from stemsvc.jobs.encoding import Encoding
    from stemsvc.models.catalog import Catalog

P = TypeVar("P")
FACTS_BYTES = 100_000.0  # of what a kind that makes no audio writes


@dataclass(frozen=True)
class Role:
    """A role that inputs have: its name, and how many inputs may have it.

    `entries` names the param that is a list with an object for each input of the role; in a form, each of those objects
    has the input's `source`.
    """

    name: str = "source"
    least: int = 1
    most: int = 1
    entries: str = ""


@dataclass(frozen=True)
class Needs:
    """What a job needs of its pool: a model of the catalog (None: no model), MB of device memory (None: any)."""

    model: str | None = None
    memory_mb: int | None = None
    generator: str | None = None  # a generator of the catalog, which any pool of the kind may have
    soundfont: bool = False  # whether it plays the worker's SoundFont, where there is one
    accelerated: bool = False  # whether a GPU makes it faster; if not, it takes no GPU where a CPU pool serves it


class Kind(ABC, Generic[P]):
    """One kind of job. `P` is the type of its params."""

    name: ClassVar[str]
    form: ClassVar[str]  # `module:Class` of a `KindForm`, which the api loads
    work: ClassVar[str]  # `module:function` of `(params, inputs, attempt) -> Made`, which the workers load
    roles: ClassVar[tuple[Role, ...]] = (Role(),)
    modelled: ClassVar[bool] = False  # whether its jobs name a model of the catalog
    encodes: ClassVar[bool] = True  # whether its files are audio, written as the job's encoding says
    packages: ClassVar[tuple[str, ...]] = ()  # modules that its work imports and a worker may lack
    version: ClassVar[int] = 1  # to raise when the same params and inputs give other files than before
    noun: ClassVar[str] = "files"  # the word for its outputs in the timeline
    advice: ClassVar[str] = "send a shorter track"  # to a client whose job would compute for too long

    @abstractmethod
    def read(self, stored: Mapping[str, Any]) -> P:
        """The params of a form or a row. Keys that this release does not know are left out, and missing keys get
        their defaults."""

    @abstractmethod
    def stored(self, params: P) -> dict[str, Any]:
        """The params as a flat JSON object under the form's names. Rows keep it and clients see it."""

    def choose(self, params: P, catalog: Catalog, device: str) -> P:
        """The params with a model that can be had on `device`, where the client left the choice of it to the kind.

        `check` comes after it. Raises `UsageError` where none can be had.
        """
        return params

    def chosen(self, params: P) -> str:
        """Why the model is that one, where `choose` chose it; empty where it did not. The timeline has it."""
        return ""

    def check(self, params: P, inputs: Sequence[str], catalog: Catalog) -> P:
        """The params, with values for what the client left open. Raises `UsageError` for what can't be done.

        `inputs` are the roles of the inputs, in their order.
        """
        return params

    def part(self, params: P, seconds: float | None) -> float | None:
        """How many seconds of a track of `seconds` the job works on; None where that is not known. Limits, quotas and
        `cost` count these."""
        return seconds

    @abstractmethod
    def cost(self, params: P, seconds: float, catalog: Catalog) -> float:
        """Seconds that two cores of an AMD EPYC compute for `seconds` of a track. The owner's share is charged with
        them, and the job's time limit follows from them."""

    def makes(self, params: P, encoding: Encoding, seconds: float) -> float:
        """About how many bytes its files have, for a track of `seconds`: for plans, not for limits."""
        if not self.encodes:
            return FACTS_BYTES
        return max(1, len(self.outputs(params))) * seconds * sum(each.bytes_per_second for each in encoding.each)

    def needs(self, params: P, catalog: Catalog) -> Needs:
        """What a job needs of its pool. Raises `UsageError` `unknown_model`."""
        return Needs()

    def fallback(self, params: P, catalog: Catalog) -> P | None:
        """The params for a job whose model can't be had; None where the client wants that model and no other."""
        return None

    def on_pool(self, params: P, precision: str | None) -> P:
        """The params as a pool of that precision runs them: the pool may decide what the client left open."""
        return params

    def outputs(self, params: P) -> Sequence[str]:
        """Names of the outputs that its work writes in each of the job's formats; none where it knows one format."""
        return ()

    def files(self, params: P, encoding: Encoding) -> Sequence[str]:
        """Names of all of its files, as far as they are known before the work is done; none where they are not."""
        return [encoding.file_key(output, each.format) for output in self.outputs(params) for each in encoding.each]

    def heard(self, params: P) -> dict[str, Any]:
        """The part of the params that the result depends on, as JSON."""
        return self.stored(params)

    def shown(self, params: P) -> dict[str, Any]:
        """Fields of a job's body besides `params`: clients of release 0.1 read them."""
        return {}

    def mirrored(self, params: P) -> dict[str, Any]:
        """What processes of release 0.1 must find in a row's options, to read the row during a rolling upgrade."""
        return {"model": ""}

    @property
    def sourceless(self) -> bool:
        """Whether its jobs may have no input at all."""
        return all(role.least == 0 for role in self.roles)

    def lacking(self) -> list[str]:
        """Those of its packages that this installation lacks."""
        return [name for name in self.packages if importlib.util.find_spec(name) is None]
