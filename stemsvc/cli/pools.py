"""`stemsvc pools`: the pools and their live workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.terminal import AS_JSON, Column, Listing, moment, print_json, settings_of_what_runs

if TYPE_CHECKING:
    from stemsvc.jobstore.pool_status import PoolStatus
    from stemsvc.jobstore.workers import Seen


@click.command()
@AS_JSON
def pools(as_json: bool) -> None:
    """List the pools: their models, their live workers, how many jobs wait and run."""
    from stemsvc.cli.stores import check_started
    from stemsvc.control.services import open_services
    from stemsvc.jobstore.pool_status import pool_statuses

    settings = settings_of_what_runs()
    check_started(settings)
    services = open_services(settings)
    try:
        found = pool_statuses(services.store, services.pools)
    finally:
        services.close()
    living = {seen.worker.id: seen for each in found for seen in each.workers}
    if as_json:
        print_json({"pools": [*map(pool_facts, found)], "workers": [*map(worker_facts, living.values())]})
        return
    listing = Listing(
        "pool",
        "device",
        "models",
        *(Column(name, right=True) for name in ("slots", "running", "high", "normal", "low")),
    )
    for each in map(pool_facts, found):
        waiting = each["waiting"]
        numbers = (each["slots"], each["running"], *(waiting[name] for name in ("high", "normal", "low")))
        listing.add(each["name"], each["device"], ", ".join(each["models"]), *numbers)
    listing.show()
    click.echo()
    if not living:
        click.echo("no worker is alive")
        return
    workers = Listing("worker", "device", Column("free MB", right=True), "pools", "loaded", "jobs")
    for worker in map(worker_facts, living.values()):
        served = worker["pools"][0] if len(worker["pools"]) == 1 else len(worker["pools"])
        loaded, jobs = ", ".join(worker["models"]), ", ".join(worker["jobs"]) or "idle"
        workers.add(worker["id"], worker["device_name"], worker["free_memory_mb"], served, loaded, jobs)
    workers.show()


def pool_facts(status: PoolStatus) -> dict[str, Any]:
    """A pool as JSON."""
    from stemsvc.jobs.record import Priority

    pool = status.pool
    return {
        "name": status.name,
        "device": pool.device if pool else None,
        "models": list(pool.models) if pool else [],
        "slots": status.slots,
        "running": status.running,
        "queued": status.queued,
        "waiting": {priority.word: status.waiting.get(priority, 0) for priority in Priority},
    }


def worker_facts(seen: Seen) -> dict[str, Any]:
    """A worker as JSON."""
    worker = seen.worker
    return {
        "id": worker.id,
        "device": worker.device,
        "device_name": f"{worker.device} {worker.device_name}",
        "free_memory_mb": worker.free_memory_mb,
        "pools": list(worker.pools),
        "models": list(worker.models),
        "jobs": list(worker.job_ids),
        "version": worker.version,
        "started_at": moment(seen.started_at),
        "seen_at": moment(seen.seen_at),
    }
