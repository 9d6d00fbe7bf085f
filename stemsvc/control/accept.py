"""Accepts clients' requests: stores a job's files, then its row, then sends its message. Cancels and erases jobs."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from stemsvc.control.guard import Guard
from stemsvc.control.publish import Sender
from stemsvc.control.route import Choice, Router
from stemsvc.control.sources import Link, Source, StoredInput
from stemsvc.errors import (
    AcceptanceUnknown,
    JobFinished,
    JobNotFound,
    JobNotRetryable,
    NoLivePool,
    PriorityForbidden,
    StemsvcError,
    TooMuchWork,
    TransientError,
    UsageError,
)
from stemsvc.jobs.pools import FETCH
from stemsvc.jobs.probe import Length, longest
from stemsvc.jobs.record import WITHOUT_FILES, Job, JobState, JobView, Priority, input_key, new_job_id
from stemsvc.jobs.spec import Input, JobSpec
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.audit import By
from stemsvc.jobstore.bounds import Bounds
from stemsvc.jobstore.intake import IdempotencyKey
from stemsvc.kinds import registry
from stemsvc.kinds.base import Needs
from stemsvc.kinds.limits import TYPICAL_TRACK_SECONDS, Limits
from stemsvc.kinds.registry import AnyKind
from stemsvc.kinds.specify import ASKED, specify
from stemsvc.models.catalog import Catalog
from stemsvc.storage import Storage


@dataclass(frozen=True)
class Rules:
    """Which jobs are accepted, and how many attempts each gets."""

    bounds: Bounds
    limits: Limits
    max_attempts: int
    min_free_bytes: int
    guard: Guard = field(default_factory=Guard)  # which addresses may be fetched, and may get webhooks


@dataclass(frozen=True)
class Request:
    """Who asks: an owner (empty where there are no keys), the request's id, the client's idempotency key for it.

    `max_waiting` (jobs that wait), `minutes_per_day` (of audio), `max_stored_bytes` (of files; 0: any number) and
    `max_priority` are what the owner's key allows. The first three go before the rules. `part_of` is the number of jobs
    in its batch, where the idempotency key is one for the whole batch. `retry_of` is the job that is tried again.
    """

    id: str | None = None
    owner: str = ""
    idempotency_key: str | None = None
    trace: str | None = None  # W3C traceparent of the request
    max_waiting: int | None = None
    minutes_per_day: float | None = None
    max_stored_bytes: int | None = None
    max_priority: Priority = Priority.HIGH
    part_of: int | None = None
    retry_of: str | None = None

    def in_batch(self, key: str | None, position: int, size: int) -> Request:
        """The same for one job of a batch of `size` jobs that came with `key`."""
        if key is None:
            return self
        # no client can send such a key: theirs have no spaces
        own = f"batch {hashlib.sha256(key.encode()).hexdigest()} {position}"
        return replace(self, idempotency_key=own, part_of=size)


@dataclass(frozen=True)
class Routed:
    """Where a job goes, what it is predicted to cost in seconds, and how much of its track it works on."""

    spec: JobSpec
    choice: Choice
    cost: float
    length: Length | None

    @property
    def proved_seconds(self) -> float:
        """How much audio counts already; 0 where its length is only guessed."""
        return self.length.proved_seconds if self.length else 0.0


class Acceptance:
    """Turns checked requests into jobs; cancels and erases jobs on request."""

    def __init__(
        self, store: JobStore, sender: Sender, storage: Storage, catalog: Catalog, router: Router, rules: Rules
    ) -> None:
        self._store = store
        self._sender = sender
        self._storage = storage
        self._catalog = catalog
        self._router = router
        self._rules = rules

    def accept(self, sources: Sequence[Source], spec: JobSpec, request: Request) -> JobView:
        """Store the files, insert the row, have its message sent. Once the row is in, the job is accepted for good.

        `spec` is what `specify` returns. A request whose idempotency key came before gets the earlier job. Raises
        `UsageError` for a job that no pool can serve, for an address that must not be contacted, `priority_forbidden`,
        `idempotency_conflict`, and `track_exceeds_quota` or `file_too_large` where the owner may never send so much;
        `TransientError` `queue_full`, `key_queue_full`, `quota_exceeded`, `key_storage_full`, `storage_full`; the
        errors of the storage and of the store. Where it raises, it leaves no files behind, except after
        `acceptance_unknown`: those may belong to a job.
        """
        key = _idempotency_key(sources, spec, request)
        earlier = self._store.intake.earlier(request.owner, key) if key else None
        if earlier:  # even where pools and rules have changed since
            return replace(self._store.seen(earlier), replayed=True)
        routed = self.routed(spec, request, [source.url for source in sources], track_of(sources, self._storage))
        linked = any(source.url for source in sources)
        pool, bounds = FETCH if linked else routed.choice.pool.name, self.bounds_of(request)
        size = sum(source.size(self._storage) for source in sources) if bounds.stored_bytes else 0
        self._store.intake.check_room(pool, request.owner, bounds, size)
        job = replace(self.stored(sources, routed.spec, pool, request), cost=routed.cost)
        if linked:
            job = replace(job, next_pool=routed.choice.pool.name)
        view = self._put(job, f"accepted; {routed.choice.why}", bounds, key, routed.proved_seconds)
        replayed = view.job.id != job.id
        if replayed:  # a request with the same key was faster
            self._erase(job.id)
        else:
            self._sender.wake()
        return replace(self._store.seen(view), replayed=replayed)

    def routed(self, spec: JobSpec, request: Request, urls: Sequence[str], track: Length | None) -> Routed:
        """Where a job of that spec goes and what it costs, with `track` as the length of its longest track.

        Raises what `accept` raises of the spec and the addresses.
        """
        spec = prioritized(spec, granted(spec.envelope.priority, request.max_priority))
        for url in (*urls, spec.envelope.webhook_url):
            self.check_address(url)
        kind = registry.get(spec.kind)
        params = kind.read(spec.params)
        length = _part(track, kind, params)
        cost = self._predicted(kind, params, spec, length)
        choice = self._choice_or_fallback(spec, kind, params, cost, length)
        why = "; ".join(filter(None, (kind.chosen(params), choice.why)))
        return Routed(spec, replace(choice, why=why), cost, length)

    def check_address(self, url: str) -> None:
        """Raise `UsageError` `url_refused` or `bad_url` for an address that must not be contacted; empty is none."""
        if url:
            self._rules.guard.check_url(url)

    def again(self, job_id: str, owner: str | None = None) -> tuple[list[Source], JobSpec]:
        """What to `accept` in order to try a job again: where its inputs come from now, and its spec.

        Raises `UsageError` `job_not_found`, `job_not_retryable` where it goes on or has succeeded, and what `specify`
        raises where its model or kind is gone. `accept` raises `input_gone` where its track is no longer stored.
        """
        job = self._check_owner(job_id, owner)
        if job.state not in WITHOUT_FILES:
            raise JobNotRetryable(f"the job is {job.state}; one that failed, was canceled or expired can be retried")
        sources = [self.source_again(job, number, each) for number, each in enumerate(job.inputs)]
        return sources, self.specify(job.spec, [each.role for each in job.inputs])

    def source_again(self, job: Job, number: int, each: Input) -> Source:
        """Where input `number` of a job comes from when the job is tried again."""
        if each.url:
            return Link(each.url, role=each.role)
        upload = self._store.uploads.find(each.upload_id) if each.upload_id else None
        origin = self._store.get(each.from_job) if each.from_job else None
        output = origin.outputs.get(each.from_output) if origin and origin.state is JobState.SUCCEEDED else None
        return StoredInput(job.id, number, each, upload, output["key"] if output else "")

    def check_repeat(self, owner: str, asked: Sequence[tuple[Sequence[Source], JobSpec, Request]]) -> None:
        """Raise `UsageError` `idempotency_conflict` where the key of one of the owner's requests came with another one.

        A batch asks before it makes its first job: of a batch that lost its first job, every other job would be made
        a second time, at its new place.
        """
        keys = [_idempotency_key(*each) for each in asked]
        self._store.intake.check_same(owner, [key for key in keys if key is not None])

    def specify(self, spec: JobSpec, roles: Sequence[str] = ("source",)) -> JobSpec:
        """The spec; its kind fills in what the client left open. Raises `UsageError` for what can't be done."""
        return specify(spec, roles, self._catalog)

    def _put(self, job: Job, why: str, bounds: Bounds, key: IdempotencyKey | None, seconds: float) -> JobView:
        try:
            return self._store.intake.put(job, why, bounds, key, seconds)
        except AcceptanceUnknown:
            recorded = self._recorded(job.id)
            if recorded is None:  # the commit may still succeed; if not, the janitor removes the files as orphans
                raise
            return recorded
        except BaseException:
            self._erase(job.id)
            raise

    def bounds_of(self, request: Request) -> Bounds:
        """What the one who asks may send and store."""
        rules = self._rules.bounds
        waiting = rules.owner if request.max_waiting is None else request.max_waiting
        seconds = None if request.minutes_per_day is None else request.minutes_per_day * 60
        stored = rules.stored_bytes if request.max_stored_bytes is None else request.max_stored_bytes
        return Bounds(rules.pool, waiting, seconds, stored)

    def _predicted(self, kind: AnyKind, params: Any, spec: JobSpec, length: Length | None) -> float:
        """Its predicted cost in seconds; that of a typical track where the length is not known yet.

        Raises what `Limits.check` raises, for a length that is proved: a guess refuses nothing.
        """
        seconds = length.seconds if length else 0.0
        predicted = kind.cost(params, seconds or TYPICAL_TRACK_SECONDS, self._catalog)
        if length is not None and length.proved:
            self._rules.limits.check(spec.model or spec.kind, kind.advice, predicted, length.seconds)
        return predicted

    def _choice_or_fallback(
        self, spec: JobSpec, kind: AnyKind, params: Any, cost: float, length: Length | None
    ) -> Choice:
        """The pool for the job. Where its model's pools have no worker but its fallback's have one, it goes there: the
        worker takes the fallback, and says so."""
        needs, instead = kind.needs(params, self._catalog), kind.fallback(params, self._catalog)
        try:
            choice = self._choice(spec, needs, cost, length)
        except NoLivePool:
            if instead is None:
                raise
            return self._choice(spec, kind.needs(instead, self._catalog), cost, length)
        if instead is not None and not choice.alive:
            with contextlib.suppress(UsageError, NoLivePool):
                other = self._choice(spec, kind.needs(instead, self._catalog), cost, length)
                return other if other.alive else choice
        return choice

    def _choice(self, spec: JobSpec, needs: Needs, cost: float, length: Length | None) -> Choice:
        """The pool for the job; one that may compute for so long, where one is found."""
        if length is not None and length.seconds:
            try:
                return self._router.choose(spec.kind, needs, spec.envelope.device, cost)
            except TooMuchWork:
                if length.proved:
                    raise
        return self._router.choose(spec.kind, needs, spec.envelope.device, 0.0)

    def stored(self, sources: Sequence[Source], spec: JobSpec, pool: str, request: Request) -> Job:
        """A new job without a row, whose sources are stored. Raises the storage's errors, and leaves no file then."""
        job_id = new_job_id()
        if not all(source.url for source in sources):
            self._storage.check_room(self._rules.min_free_bytes)
        inputs: list[Input] = []
        try:
            for number, source in enumerate(sources):
                key = input_key(job_id, number)
                size = source.place(self._storage, key)
                came_from = (source.upload_id, source.from_job, source.from_output)
                inputs.append(Input(source.name, key, size, source.role, source.url, None, *came_from))
        except BaseException:
            self._erase(job_id)
            raise
        return Job(
            id=job_id,
            state=JobState.QUEUED,
            spec=spec,
            pool=pool,
            inputs=tuple(inputs),
            max_attempts=self._rules.max_attempts,
            request_id=request.id,
            owner=request.owner,
            priority=int(Priority[spec.envelope.priority.upper()]),
            trace=request.trace,
            retry_of=request.retry_of,
        )

    def _recorded(self, job_id: str) -> JobView | None:
        """The job, if its row was made although the store's answer was lost; else None.

        Raises `TransientError` `acceptance_unknown` where the store does not answer. The files are then the job's or
        orphans, and the janitor finds out which.
        """
        try:
            return self._store.view(job_id)
        except TransientError as error:
            raise AcceptanceUnknown(error.detail) from error

    def view(self, job_id: str, owner: str | None) -> JobView:
        """The job, if it is the owner's; None as owner may see everybody's. Raises `UsageError` `job_not_found`."""
        view = self._store.view(job_id) if job_id.isalnum() else None
        if view is None or not _sees(owner, view.job.owner):
            raise JobNotFound("no such job")
        return view

    def cancel(self, job_id: str, owner: str | None = None) -> None:
        """Cancel a queued or running job; its worker stops within a segment. A canceled job stays as it is.

        Raises `UsageError` `job_not_found`, or `job_finished` where the job ended otherwise.
        """
        self._check_owner(job_id, owner)
        if not self._store.cancel(job_id, "canceled by the client"):
            state = self._check_owner(job_id, owner).state
            if state is not JobState.CANCELED:
                raise JobFinished(f"the job has ended: its state is {state}")

    def erase(self, job_id: str, owner: str | None = None, by: By | None = None) -> None:
        """Cancel a job, delete its files and then its row. Raises `UsageError` `job_not_found`.

        `by` is the admin who does it, for the audit log.
        """
        self._check_owner(job_id, owner)  # before text from outside becomes part of a storage key
        self._store.cancel(job_id, "deleted by the client")
        self._storage.delete(f"jobs/{job_id}/")
        self._store.delete(job_id, by)

    def _check_owner(self, job_id: str, owner: str | None) -> Job:
        job = self._store.get(job_id) if job_id.isalnum() else None
        if job is None or not _sees(owner, job.owner):
            raise JobNotFound("no such job")
        return job

    def _erase(self, job_id: str) -> None:
        with contextlib.suppress(StemsvcError):  # the janitor removes as an orphan what can't be deleted now
            self._storage.delete(f"jobs/{job_id}/")


def _idempotency_key(sources: Sequence[Source], spec: JobSpec, request: Request) -> IdempotencyKey | None:
    """The client's key and a hash of what the request asks for; None where the client gave no key.

    A separation of one source has the same hash as in release 0.1.
    """
    if request.idempotency_key is None:
        return None
    first = sources[0] if sources else None
    spec = prioritized(spec, spec.envelope.priority or Priority.NORMAL.word)  # what it asks for, not what it may have
    options = {
        **spec.more.get(ASKED, spec.more),
        **asdict(spec.envelope),
        **spec.encoding.asked,
        "source_url": first.url if first else "",
    }
    asked: list[Any] = [first.name if first else "", first.fingerprint() if first else "", options]
    if spec.kind != "separate" or len(sources) > 1:
        asked += [spec.kind, spec.params, [[each.role, each.name, each.fingerprint()] for each in sources[1:]]]
    if request.part_of is not None:  # a longer or shorter batch is another request
        asked.append({"part_of": request.part_of})
    if request.retry_of is not None:
        asked.append({"retry_of": request.retry_of})
    text = json.dumps(asked, sort_keys=True)
    return IdempotencyKey(request.idempotency_key, hashlib.sha256(text.encode()).hexdigest())


def granted(asked: str, most: Priority) -> str:
    """The priority that a job gets: the one asked for, or by default `normal` as far as the key allows it."""
    if not asked:
        return max(Priority.NORMAL, most).word  # the higher a priority, the lower its number
    if Priority[asked.upper()] < most:
        raise PriorityForbidden(f"jobs of this key have at most the priority `{most.word}`, not `{asked}`")
    return asked


def prioritized(spec: JobSpec, priority: str) -> JobSpec:
    """The spec with that priority."""
    return replace(spec, envelope=replace(spec.envelope, priority=priority))


def track_of(sources: Sequence[Source], storage: Storage) -> Length | None:
    """The length of the longest track; None where that of one can't be told. Where there is no track, it is 0."""
    found = [source.length(storage) for source in sources]
    return longest(found) if found else Length(0.0, proved=True)


def _part(length: Length | None, kind: AnyKind, params: Any) -> Length | None:
    """How much of a track of that length the job works on."""
    seconds = kind.part(params, length.seconds if length else None)
    return None if seconds is None else Length(seconds, length is not None and length.proved)


def _sees(caller: str | None, owner: str) -> bool:
    """Whether a caller sees what is that owner's; None sees everybody's."""
    return caller in (None, owner)
