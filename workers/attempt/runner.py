"""One attempt of a job, whatever its kind: lease, work, commit; and what each kind of failure does to the row."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from opentelemetry.trace import SpanKind

from stemsvc.control.route import choose_pool
from stemsvc.errors import (
    DeviceOutOfMemory,
    InternalError,
    KeyStorageFull,
    KindMissing,
    QuotaExceeded,
    StemsvcError,
    TimeLimit,
    TransientError,
    UsageError,
)
from stemsvc.jobs.pools import Pool
from stemsvc.jobs.record import Job, JobState, Lease
from stemsvc.jobstore import JobStore
from stemsvc.kinds.registry import resolve
from stemsvc.models.catalog import Catalog
from stemsvc.observe import metrics
from stemsvc.observe.loggers import get_logger
from stemsvc.observe.traces import Attributes, past_span, span
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from workers.attempt.fetch import Fetching
from workers.attempt.files import Result
from workers.attempt.lease import LeaseKeeper, LeaseLost
from workers.attempt.retry import Retries
from workers.attempt.working import Working
from workers.host import activity
from workers.host.models import Models
from workers.host.scratch import Scratch

log = get_logger()
ELSEWHERE_SECONDS = 30.0  # until a job of a kind that this worker lacks is published again


@dataclass(frozen=True)
class Runner:
    """What one pool process needs to run jobs."""

    store: JobStore
    storage: Storage
    scratch: Scratch
    retries: Retries
    working: Working
    fetching: Fetching
    lease_seconds: float
    fallback_to_cpu: bool
    refill: Callable[[], None] = lambda: None  # called when a job's message has been used up
    hand_over: Callable[[], None] = lambda: None  # called when a workflow's job has ended: others may have come due

    @classmethod
    def of(
        cls,
        settings: Settings,
        catalog: Catalog,
        store: JobStore,
        storage: Storage,
        models: Models,
        pools: tuple[Pool, ...] = (),
        refill: Callable[[], None] = lambda: None,
        hand_over: Callable[[], None] = lambda: None,
    ) -> Runner:
        """With the settings' numbers."""
        return cls(
            store,
            storage,
            Scratch(settings.resolved_scratch_dir, settings.min_free_bytes),
            Retries.of(settings),
            Working.of(settings, catalog, store, storage, models, pools),
            Fetching.of(settings, catalog, store, storage),
            settings.lease_seconds,
            settings.fallback_to_cpu,
            refill,
            hand_over,
        )

    def run(self, job_id: str, worker: str, parent: str | None = None) -> None:
        """Run one attempt of the job if it is ours to run; leaves the row in a legal state whatever happens.

        `parent` is the traceparent that came with the message.
        """
        taken = self.store.leases.take(job_id, worker, self.lease_seconds)
        self.refill()
        if taken is None:
            log.info("not ours to run", job_id=job_id)
            return
        job, lease = taken
        facts: Attributes = {
            "stemsvc.job_id": job.id,
            "stemsvc.attempt": job.attempt,
            "stemsvc.request_id": job.request_id or "",
            "stemsvc.pool": job.pool,
            "stemsvc.kind": job.kind,
            "stemsvc.model": job.spec.model,
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": job.pool,
        }
        with (
            activity.at_work(job.id),
            structlog.contextvars.bound_contextvars(job_id=job.id, attempt=job.attempt, request_id=job.request_id),
            span(
                f"process {job.pool}", facts, parent=parent or job.trace, kind=SpanKind.CONSUMER, start=job.started_at
            ),
        ):
            waited_from = job.published_at or job.created_at
            past_span("wait in queue", waited_from, job.started_at or waited_from, facts)
            log.info("job started", kind=job.kind, model=job.spec.model, bytes=sum(each.bytes for each in job.inputs))
            self._guarded(job, lease)
        if job.workflow_id is not None:
            self.hand_over()

    def _guarded(self, job: Job, lease: Lease) -> None:
        try:
            self._attempt(job, lease)
        except LeaseLost:
            log.info("job is no longer ours")
            self._erase_attempt(lease)
        except SoftTimeLimitExceeded:
            limit = self.working.job_limits.work_seconds
            self._fail(lease, TimeLimit(f"the job took longer than {limit:.0f} s"))
        except KindMissing as error:
            self._pass_on(lease, error)
        except (QuotaExceeded, KeyStorageFull) as error:  # it may take a day until the key has room again
            self._fail(lease, error)
        except TransientError as error:
            self._retry(job, lease, error)
        except StemsvcError as error:
            self._fail(lease, error)
        except Exception as error:
            log.exception("unexpected error")
            self._fail(lease, InternalError(f"the fault is ours ({type(error).__name__}); the log says more"))
        except BaseException:  # the process is told to end: another worker shall go on at once
            self.store.leases.give_back(lease, "the worker is shutting down", pause=0.0, counted=False)
            raise

    def _attempt(self, job: Job, lease: Lease) -> None:
        with (
            self.scratch.reserve(f"{job.id}-{job.attempt}", sum(each.bytes for each in job.inputs)) as folder,
            LeaseKeeper(self.store, lease, self.lease_seconds) as keeper,
        ):
            if job.next_pool is not None:
                self.fetching.run(job, lease, folder, keeper)
                self.refill()
                return
            result = self.working.produce(job, lease, folder, keeper)
            self._commit(lease, result, keeper)
            seconds = time.time() - (job.started_at or time.time())
            metrics.processed(job.kind, result.model, result.device, seconds)

    def _commit(self, lease: Lease, result: Result, keeper: LeaseKeeper) -> None:
        def succeed() -> bool:
            # a commit whose answer was lost is found done when it is tried again
            done = self.store.leases.succeed(
                lease,
                result.source,
                result.outputs,
                result.origin,
                result.facts,
                result.noun,
                result.warnings,
                result.params,
                result.previews,
            )
            return done or self.store.leases.is_committed(lease)

        try:
            done = self.retries.patiently(succeed, keeper.wait)
        except LeaseLost:  # the row has moved: perhaps by a commit of ours whose answer was lost
            done = self.retries.patiently(lambda: self.store.leases.is_committed(lease))
        if not done:
            raise LeaseLost(lease.job_id)
        log.info("job succeeded", seconds=round(result.seconds, 2), files=list(result.outputs))

    def _fail(self, lease: Lease, error: StemsvcError) -> None:
        if self.retries.patiently(lambda: self.store.leases.fail(lease, error.code, error.detail)):
            log.warning("job failed", code=error.code, detail=error.detail)
        else:
            self._erase_attempt(lease)

    def _pass_on(self, lease: Lease, error: KindMissing) -> None:
        """Leave the job to a worker that can do it: none of this is its doing."""
        log.error("a job came that this worker can't do", code=error.code, detail=error.detail)
        why = f"{error.code}: {error.detail}"
        self.retries.patiently(lambda: self.store.leases.give_back(lease, why, ELSEWHERE_SECONDS, counted=False))
        self._erase_attempt(lease)

    def _retry(self, job: Job, lease: Lease, error: TransientError) -> None:
        if self._lowered(job, lease, error):
            metrics.retried(error.code)
            self._erase_attempt(lease)
            log.warning("job goes to a lower device", code=error.code)
            self.refill()
            return
        age = (job.started_at or job.created_at) - job.created_at
        if job.attempt >= job.max_attempts or age > self.retries.age:
            self._fail(lease, error.saying(f"{error.detail} (attempt {job.attempt}, {age:.0f} s after it was sent)"))
            return
        pause = self.retries.pause(job.attempt)
        why = f"{error.code}: {error.detail}; again in {pause:.1f} s"
        if self.retries.patiently(lambda: self.store.leases.give_back(lease, why, pause)):
            metrics.retried(error.code)
            log.warning("job will be tried again", code=error.code, detail=error.detail, pause=round(pause, 1))
        self._erase_attempt(lease)

    def _lowered(self, job: Job, lease: Lease, error: TransientError) -> bool:
        """Whether the job goes on on a CPU, where its accelerator is too small for it and the settings say so."""
        if not isinstance(error, DeviceOutOfMemory) or not self.fallback_to_cpu:
            return False
        if job.envelope.device != "auto":
            return False
        needs = resolve(job, self.working.pools, self.working.catalog).needs
        try:
            choice = choose_pool(self.working.pools, job.kind, needs, "cpu", slots=self.store.workers.slots(job.kind))
        except UsageError:
            return False
        why = f"{error.code}: {error.detail}; on the CPU instead, {choice.why}"
        return choice.pool.name != job.pool and self.retries.patiently(
            lambda: self.store.leases.give_back(lease, why, 0.0, counted=False, pool=choice.pool.name)
        )

    def _erase_attempt(self, lease: Lease) -> None:
        """Erase what this attempt stored, once the row has moved on, unless it moved by this attempt's own commit.

        Where the row can't be read nothing goes: of what it turns out to have no use for, the janitor makes an end.
        """
        with suppress(StemsvcError):
            job = self.store.get(lease.job_id)
            committed = job is not None and job.state is JobState.SUCCEEDED and job.attempt == lease.attempt
            used = job is not None and any(each.key.startswith(f"{lease.prefix}/") for each in job.inputs)
            if not committed and not used:
                self.storage.delete(f"{lease.prefix}/")
