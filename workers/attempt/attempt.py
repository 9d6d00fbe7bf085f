"""What one attempt offers to its kind's work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.pools import Pool
from stemsvc.kinds.limits import Limits as JobLimits
from stemsvc.kinds.registry import AnyKind
from stemsvc.models.catalog import Catalog
from workers.attempt.lease import LeaseKeeper
from workers.attempt.stopwatch import Stopwatch
from workers.audio.decode import Limits
from workers.host.device import DeviceTurns
from workers.kinds.separate.models import Models


@dataclass(frozen=True)
class Attempt:
    """`workers.kinds.base.Attempt`, over a lease."""

    kind: AnyKind
    params: Any
    encoding: Encoding
    folder: Path
    pool: Pool
    catalog: Catalog
    models: Models
    limits: Limits
    job_limits: JobLimits
    turns: DeviceTurns
    keeper: LeaseKeeper
    watch: Stopwatch
    general_seconds: float  # that all but computing may take

    @property
    def device(self) -> str:
        """See the protocol."""
        return self.pool.device

    def report(self, stage: str, done: int = 0, of: int = 0) -> None:
        """See the protocol."""
        self.watch.report(stage, done, of)

    @contextmanager
    def computing(self, seconds: float) -> Iterator[None]:
        """See the protocol."""
        predicted = self.kind.cost(self.params, seconds, self.catalog)
        what = self.kind.needs(self.params, self.catalog).model or self.kind.name
        self.job_limits.check(what, self.kind.advice, predicted, seconds)
        self.keeper.limit(None)  # waiting for others is no fault of this job
        with self.turns.turn(lambda: self.watch.report("waiting", 0, 0)):
            self.keeper.limit(self.job_limits.time_limit(predicted))
            with self.watch.computing(), self.keeper.computing():
                yield
        self.keeper.limit(self.general_seconds)
