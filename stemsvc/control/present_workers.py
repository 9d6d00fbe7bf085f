"""The live workers as operators see them: what each can do, how busy it is, what it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from stemsvc.control.present import moment
from stemsvc.jobs.pools import Pool
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.workers import OF_0_1, AtWork, Seen, machine


def worker_bodies(store: JobStore, pools: Sequence[Pool]) -> list[dict[str, Any]]:
    """The live workers, by id, as `WorkerInfoSchema` has them; moments are datetimes. Raises the store's errors."""
    living, now = store.workers.living(), store.now()
    at_work = store.workers.at_work({job_id for seen in living for job_id in seen.worker.job_ids})
    known = {pool.name: pool for pool in pools}
    return [_body(seen, now, at_work, known) for seen in living]


def _body(seen: Seen, now: float, at_work: dict[str, AtWork], pools: dict[str, Pool]) -> dict[str, Any]:
    worker, facts = seen.worker, seen.worker.facts
    served = [pools[name] for name in worker.pools if name in pools]
    return {
        "id": worker.id,
        "machine": machine(worker.id),
        "pools": list(worker.pools),
        "kinds": list(OF_0_1 if worker.kinds is None else worker.kinds),
        "serves": sorted({model for pool in served for model in pool.models}),
        "models": list(worker.models),
        "device": worker.device,
        "device_name": worker.device_name,
        "memory_mb": facts.get("memory_mb"),
        "free_memory_mb": worker.free_memory_mb,
        "cores": facts.get("cores"),
        "load": facts.get("load"),
        "instructions": facts.get("instructions"),
        "precisions": list(facts.get("precisions", ())),
        "versions": {"stemsvc": worker.version, **facts.get("versions", {})},
        "extras": list(facts.get("extras", ())),
        "lacking": dict(facts.get("lacking", {})),
        "slots": worker.slots,
        "busy": len(worker.job_ids),
        "steps": [asdict(at_work[job_id]) for job_id in worker.job_ids if job_id in at_work],
        "started_at": moment(seen.started_at),
        "seen_at": moment(seen.seen_at),
        "age_seconds": round(max(0.0, now - seen.seen_at), 3),
    }
