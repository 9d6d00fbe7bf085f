"""The short form of `make soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.gauges import FILES, SOCKETS, THREADS
from tests.soak.soak import soak


@pytest.mark.long
def test_a_short_soak_measures_everything_and_no_handles_grow(tmp_path: Path) -> None:
    result = soak(tmp_path / "stage", "redis", minutes=2.5, seed=1, say=print)

    print("\n".join(result.lines()))
    measured = {name.split(":")[0] for name in result.grown}
    assert {"api", "dispatcher", "fetcher", "worker-0", "pool process of worker-0", "scratch", "metrics"} <= measured
    assert {"rows of jobs", "rows of job_events", "rows of webhook_deliveries", "rows of uploads"} <= measured
    assert result.jobs >= 20
    # in a few minutes caches still fill, and rows come and go with the pace of the machine: the long form judges those
    handles = (FILES, THREADS, SOCKETS)
    growing = [name for name, (unit, found) in result.grown.items() if unit in handles and found.doubles]
    assert (growing, result.complaints) == ([], []), "\n".join(result.lines())
