"""What the kind `reverse` says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stemsvc.errors import TransientError, UsageError
from stemsvc.kinds.base import Kind
from stemsvc.models.catalog import Catalog

MOST_SECONDS = 600.0


class ReverseTooSlow(UsageError, status=422):
    """Ask for a pause of at most 600 s."""


class ReverseStumbled(TransientError):
    """The job tries again by itself."""


@dataclass(frozen=True)
class ReverseParams:
    """`pause` is how many seconds it takes its time, `stumbles` how many attempts fail first."""

    pause: float = 0.0
    stumbles: int = 0


class Reverse(Kind[ReverseParams]):
    """Turning a track round."""

    name = "reverse"
    form = "stemsvc_reverse.form:ReverseForm"
    work = "stemsvc_reverse.work:reverse"
    packages = ("numpy",)

    def read(self, stored: Mapping[str, Any]) -> ReverseParams:
        """See `Kind`."""
        return ReverseParams(float(stored.get("pause", 0.0)), int(stored.get("stumbles", 0)))

    def stored(self, params: ReverseParams) -> dict[str, Any]:
        """See `Kind`."""
        return asdict(params)

    def check(self, params: ReverseParams, inputs: Sequence[str], catalog: Catalog) -> ReverseParams:
        """Raises `UsageError` `reverse_too_slow`."""
        if params.pause > MOST_SECONDS:
            raise ReverseTooSlow(f"a pause of {params.pause} s; at most {MOST_SECONDS:.0f} s are taken")
        return params

    def cost(self, params: ReverseParams, seconds: float, catalog: Catalog) -> float:
        """A thousandth of its length, and the pause."""
        return 0.001 * seconds + params.pause

    def heard(self, params: ReverseParams) -> dict[str, Any]:
        """Nothing: however long it takes, the track is the same."""
        return {}


KIND = Reverse()
