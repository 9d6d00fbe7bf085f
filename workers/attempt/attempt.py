"""What one attempt offers to its kind's work, and knows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stemsvc.host.soundfont import SoundFont
from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.record import Job, Lease
from stemsvc.jobs.warnings import TABLE as WARNINGS
from stemsvc.jobs.warnings import JobWarning
from stemsvc.jobstore.leases import Origin
from stemsvc.kinds.cache_key import cache_key
from stemsvc.kinds.limits import Limits as JobLimits
from stemsvc.kinds.registry import Resolved
from stemsvc.models.catalog import Catalog
from workers.attempt.lease import LeaseKeeper
from workers.attempt.settle import Settled
from workers.attempt.spending import Spending
from workers.attempt.stopwatch import Stopwatch
from workers.audio.decode import Limits
from workers.host.device import DeviceTurns
from workers.host.models import Models
from workers.kinds.base import ChooseOutputs, LocalInput

# Files of an earlier job: by its kind, the first input's hash, and a choice among the names of its outputs.
FindEarlier = Callable[[str, str, ChooseOutputs], list[LocalInput]]


def none_earlier(kind: str, sha256: str, choose: ChooseOutputs) -> list[LocalInput]:
    """Find no earlier job."""
    return []


@dataclass(frozen=True)
class Attempt:
    """`workers.kinds.base.Attempt`, over a lease."""

    job: Job
    lease: Lease
    settled: Settled
    folder: Path
    catalog: Catalog
    models: Models
    limits: Limits
    job_limits: JobLimits
    turns: DeviceTurns
    keeper: LeaseKeeper
    watch: Stopwatch
    spending: Spending
    charge: Callable[[float], None]  # counts a track of so many seconds; raises where its owner may not send it
    general_seconds: float  # that all but computing may take
    find_earlier: FindEarlier = none_earlier
    preview: str = "off"
    warnings: list[JobWarning] = field(default_factory=list)  # of this attempt
    taken: list[Settled] = field(default_factory=list)  # what the work took instead, one after the other

    @property
    def of(self) -> Resolved:
        """The kind, the params and the pool."""
        return self._now.of

    @property
    def params_taken(self) -> dict[str, Any] | None:
        """The params that the row gets, where they are not those that it has."""
        return self._now.params

    @property
    def _now(self) -> Settled:
        return self.taken[-1] if self.taken else self.settled

    @property
    def number(self) -> int:
        """See the protocol."""
        return self.lease.attempt

    @property
    def encoding(self) -> Encoding:
        """See the protocol."""
        return self.job.encoding

    @property
    def device(self) -> str:
        """See the protocol."""
        return self.of.pool.device

    @property
    def model(self) -> str:
        """The model or generator that it takes; empty where it takes none."""
        return self.of.needs.model or self.of.needs.generator or ""

    @property
    def soundfont(self) -> SoundFont | None:
        """See the protocol."""
        return self.models.soundfont

    def weights(self) -> list[str] | None:
        """The sha256 of each file of its model or of its SoundFont; None while that of one can't be told."""
        needs = self.of.needs
        if needs.generator:
            return self.catalog.generators.get(needs.generator).digests
        if needs.model:
            return self.models.digests(self.catalog.get(needs.model))
        return self.soundfont.digests() if needs.soundfont and self.soundfont else []

    def origin(self, inputs: Sequence[LocalInput], named: bool = False) -> Origin:
        """What the result is made from; without a cache key where the weights' hashes are not known yet.

        `named` says whether the result has the inputs' names in it.
        """
        digests, weights, key = [each.sha256 for each in inputs], self.weights(), None
        names = [each.name for each in inputs] if named else []
        if weights is not None:
            key = cache_key(self.of.kind, self.of.params, self.encoding, digests, self.device, weights, names)
        return Origin(digests[0] if digests else None, key)

    def report(self, stage: str, done: int = 0, of: int = 0) -> None:
        """See the protocol."""
        self.watch.report(stage, done, of)

    def warn(self, code: str, detail: str) -> None:
        """See the protocol."""
        if code not in WARNINGS:
            raise KeyError(f"{code} is no warning of `stemsvc.jobs.warnings`")
        self.warnings.append(JobWarning(code, detail))

    def take_instead(self, params: Any, code: str, detail: str) -> None:
        """See the protocol."""
        now, kind = self.of, self.of.kind
        needs = kind.needs(params, self.catalog)
        self.taken.append(Settled(replace(now, params=params, needs=needs), kind.stored(params)))
        self.warn(code, detail)

    def earlier(self, kind: str, source: LocalInput, choose: ChooseOutputs) -> list[LocalInput]:
        """See the protocol."""
        return self.find_earlier(kind, source.sha256, choose) if self.job.envelope.cache else []

    @contextmanager
    def computing(self, seconds: float) -> Iterator[None]:
        """See the protocol."""
        predicted = self.of.cost(seconds, self.catalog)
        self.job_limits.check(self.model or self.of.kind.name, self.of.kind.advice, predicted, seconds)
        self.charge(seconds)
        self.keeper.limit(None)  # waiting for others is no fault of this job
        before, begun, whole = self.watch.device_seconds, False, False
        try:
            turn = self.turns.turn(self.lease, self._waiting, self.keeper.is_held)
            with turn as held, self.keeper.showing(held.beat):
                self.keeper.limit(self.job_limits.time_limit(predicted))
                begun = True
                with self.watch.computing(), self.keeper.computing():
                    yield
                whole = True
        finally:  # what the device was used for counts, also in vain; the next job need not wait for that
            if begun:
                used = seconds if whole else seconds * self.watch.share
                self.spending.note(self.job.id, self._work, self.watch.device_seconds - before, used, whole)
        self.keeper.limit(self.general_seconds)

    def _waiting(self) -> None:
        self.watch.report("waiting", 0, 0)

    @property
    def _work(self) -> tuple[str, str, str]:
        return self.of.kind.name, self.model, self.device
