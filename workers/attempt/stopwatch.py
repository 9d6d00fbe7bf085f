"""How long a job spent in each of its stages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from opentelemetry.trace import Span

from stemsvc.observe.traces import add_event, span
from workers.attempt.lease import LeaseKeeper


class Stopwatch:
    """Passes progress on to the lease and adds up `seconds` by stage, each of which is a span of the job's trace."""

    def __init__(self, keeper: LeaseKeeper) -> None:
        self.seconds: dict[str, float] = {}
        self.device_seconds = 0.0  # that the device computed
        self.share = 0.0  # of the track that the device has computed
        self._keeper = keeper
        self._stage = ""
        self._computing = False
        self._since = time.monotonic()
        self._spans = ExitStack()
        self._span: Span | None = None

    def report(self, stage: str, done: int, total: int) -> None:
        """As `LeaseKeeper.report`, whose errors it raises."""
        self._add()
        if stage != self._stage:
            self._spans.close()
            self._span = self._spans.enter_context(span(stage))
        elif self._span is not None and total and self._computing:
            add_event(self._span, "batch", {"done": done, "total": total})
        if self._computing and total:
            self.share = done / total
        self._stage = stage
        self._keeper.report(stage, done, total)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Count what happens inside as the device's time, whatever comes of it."""
        start, self._computing, self.share = time.monotonic(), True, 0.0
        try:
            yield
        finally:
            self._computing = False
            self.device_seconds += time.monotonic() - start

    def close(self) -> None:
        """Count no further."""
        self._add()
        self._stage = ""
        self._spans.close()
        self._span = None

    def _add(self) -> None:
        now = time.monotonic()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._since = now
