"""How long the rest of a job's segments will take, at the pace of those that are done."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """The pace of one attempt's segments. `clock` counts seconds.

    Only the time on the device counts: fetching and decoding the track, and loading the network, come once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._last = 0.0
        self._done = self._total = 0

    def begin(self) -> None:
        """The device begins with the first segment."""
        self._began = self._clock()
        self._done = self._total = 0

    def note(self, done: int, total: int) -> None:
        """So many of all segments are done by now."""
        if done != self._done:
            self._last = self._clock()
        self._done, self._total = done, total

    def left(self) -> float | None:
        """Seconds until the last segment is done; None before the first one is and after the last.

        A segment that takes longer than the others have taken is expected to be done at any moment.
        """
        if not 0 < self._done < self._total:
            return None
        each = (self._last - self._began) / self._done
        after = self._total - self._done - 1  # those behind the one that is at work
        return each * after + max(0.0, each - (self._clock() - self._last))
