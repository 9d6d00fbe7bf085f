"""A worker child says that it lives, what it holds and what it does; its parent's loop shows that it turns."""

from __future__ import annotations

import os

from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from tests.processes import wait_for
from tests.schema import fresh_schema
from workers.host.activity import at_work, holds
from workers.host.identity import worker_name
from workers.host.presence import Presence


def test_a_child_tells_of_itself_until_it_stops(settings: Settings) -> None:
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    own = JobStore(settings.resolved_database_url)
    presence = Presence(own, ("separate.demo.cpu", "other"), lambda: "cpu", 0.1, slots=3)
    holds(["demo"])
    presence.start()
    with at_work("a-job"):
        seen = wait_for("its word", lambda: [each for each in store.workers.living() if each.worker.job_ids])
    holds([])

    (worker,) = [each.worker for each in seen]
    assert (worker.id, worker.pools) == (worker_name(os.getpid()), ("separate.demo.cpu", "other"))
    assert (worker.slots, worker.device, worker.models, worker.job_ids) == (3, "cpu", ("demo",), ("a-job",))
    assert worker.device_name
    assert worker.free_memory_mb is None or worker.free_memory_mb > 0
    assert store.workers.slots() == {"separate.demo.cpu": 3, "other": 3}

    presence.stop()
    assert store.workers.living() == []
    now, last = store.workers.silence()
    assert 0 <= now - last["other"] < 10
    store.close()
