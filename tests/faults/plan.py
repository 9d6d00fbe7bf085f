"""What the random killer does to which process, and when: all of it is drawn from one seed."""

from __future__ import annotations

import enum
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

PAUSES = (0.3, 2.5)  # seconds between two faults
AWAY = (0.2, 2.0)  # seconds that a process stays away after its end
FROZEN = (0.5, 2.0)  # seconds that a frozen process stays frozen, beyond the lease


class Deed(enum.StrEnum):
    """What may happen to a process."""

    KILL = "kill"  # SIGKILL
    STOP = "stop"  # SIGSTOP, and SIGCONT when the lease has run out
    TERMINATE = "terminate"  # SIGTERM, and a while without it after its end
    RESTART = "restart"  # SIGTERM; started again at once, and nothing else happens until it is ready


@dataclass(frozen=True)
class Step:
    """After `pause` seconds, `deed` happens to the process `target` and lasts for `hold` seconds."""

    pause: float
    deed: Deed
    target: str
    hold: float

    def __str__(self) -> str:
        return f"{self.deed} {self.target} (pause {self.pause:.2f} s, hold {self.hold:.2f} s)"


def steps(seed: int, deeds: Mapping[str, Sequence[Deed]], lease: float) -> Iterator[Step]:
    """Faults without end: `deeds` has by target what may happen to it, `lease` is in seconds.

    Each round has every target once, and a target gets all its deeds before one of them comes again.
    """
    rng = random.Random(seed)
    left: dict[str, list[Deed]] = {target: [] for target in deeds}
    while True:
        order = list(deeds)
        rng.shuffle(order)
        for target in order:
            if not left[target]:
                left[target] = list(deeds[target])
                rng.shuffle(left[target])
            deed = left[target].pop()
            least, most = FROZEN if deed is Deed.STOP else AWAY
            hold = rng.uniform(least, most) + (lease if deed is Deed.STOP else 0.0)
            yield Step(rng.uniform(*PAUSES), deed, target, hold)
