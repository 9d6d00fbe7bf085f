"""How long the files of a client's jobs are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

DAY = 86400.0  # seconds
LEAST_DAYS, MOST_DAYS = 1 / 24, 36500.0  # of a key: a client needs some time to download


@dataclass(frozen=True)
class Retention:
    """Seconds from a job's end: `default` where its key does not say it, 0 for ever. `own` has the keys that do."""

    default: float = 0.0
    own: Callable[[], Mapping[str, float]] = dict

    def seconds(self, owner: str) -> float:
        """How long files of this owner's jobs are kept; 0: for ever."""
        return self.own().get(owner, self.default) if owner else self.default
