"""`stemsvc pools`: the pools and their live workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.terminal import AS_JSON, Column, Listing, moment, print_json, settings_of_what_runs

if TYPE_CHECKING:
    from stemsvc.control.services import Services
    from stemsvc.jobstore.pool_status import PoolStatus
    from stemsvc.jobstore.workers import Seen


@click.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def pools(context: click.Context, as_json: bool) -> None:
    """List the pools: their models, their live workers, how many jobs wait and run."""
    if context.invoked_subcommand is None:
        _list(as_json)


@pools.command()
@click.argument("name")
@click.option("--why", default="", help="for whoever asks; shown with the pool")
def drain(name: str, why: str) -> None:
    """Have the pool NAME take no new work, also after restarts, until it is resumed.

    It finishes the jobs that it runs. Its queued jobs go to other pools that serve them, or wait.
    """
    from stemsvc.cli.acting import acting

    with _opened() as services:
        status = _status(services, name)
        drained = services.store.drains.drain(name, why, acting())
    click.echo(f"{name} takes no new work" if drained else f"{name} was drained already")
    click.echo(f"jobs that it runs: {status.running}, that wait: {status.queued}")


@pools.command()
@click.argument("name")
def resume(name: str) -> None:
    """Have the drained pool NAME take work again."""
    from stemsvc.cli.acting import acting

    with _opened() as services:
        _status(services, name)
        resumed = services.store.drains.resume(name, acting())
    click.echo(f"{name} takes work again" if resumed else f"{name} was not drained")


@contextmanager
def _opened() -> Iterator[Services]:
    from stemsvc.cli.stores import check_started
    from stemsvc.control.services import open_services
    from stemsvc.jobstore.engine import migrate

    settings = settings_of_what_runs()
    check_started(settings)
    migrate(settings.resolved_database_url)
    services = open_services(settings)
    try:
        yield services
    finally:
        services.close()


def _status(services: Services, name: str) -> PoolStatus:
    from stemsvc.errors import PoolNotFound
    from stemsvc.jobstore.pool_status import pool_statuses

    for each in pool_statuses(services.store, services.pools):
        if each.name == name:
            return each
    raise PoolNotFound(f"no pool {name}; `stemsvc pools` lists them")


def _list(as_json: bool) -> None:
    from stemsvc.jobstore.pool_status import pool_statuses

    with _opened() as services:
        found = pool_statuses(services.store, services.pools)
    living = {seen.worker.id: seen for each in found for seen in each.workers}
    if as_json:
        print_json({"pools": [*map(pool_facts, found)], "workers": [*map(worker_facts, living.values())]})
        return
    listing = Listing(
        "pool",
        "device",
        "models",
        *(Column(name, right=True) for name in ("slots", "running", "high", "normal", "low")),
        "drained",
    )
    for each in map(pool_facts, found):
        waiting = each["waiting"]
        numbers = (each["slots"], each["running"], *(waiting[name] for name in ("high", "normal", "low")))
        listing.add(each["name"], each["device"], ", ".join(each["models"]), *numbers, _drained(each))
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
        "drained_at": moment(status.drain.at) if status.drain else None,
        "drained_why": status.drain.why if status.drain else None,
        "waiting": {priority.word: status.waiting.get(priority, 0) for priority in Priority},
    }


def _drained(facts: dict[str, Any]) -> str:
    return " ".join(filter(None, (facts["drained_at"], facts["drained_why"])))


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
