"""`stemsvc jobs`, `recover` and `pools`: an operator looks at jobs and pools, and recovers stuck jobs."""

from __future__ import annotations

import sys

import click

from stemsvc.cli.terminal import make_table, plain_settings, settings_of_what_runs, show
from stemsvc.jobs.record import Priority


@click.command()
def pools() -> None:
    """List the pools: their models, their live workers, how many jobs wait and run."""
    from stemsvc.control.services import open_services
    from stemsvc.jobstore.pool_status import pool_statuses

    services = open_services(settings_of_what_runs())
    found = pool_statuses(services.store, services.pools)
    services.close()
    pool_table = make_table("pool", "device", "models", "slots", "running", "high", "normal", "low")
    for each in found:
        models, device = (", ".join(each.pool.models), each.pool.device) if each.pool else ("", "")
        waiting = (str(each.waiting.get(priority, 0)) for priority in Priority)
        pool_table.add_row(each.name, device, models, str(each.slots), str(each.running), *waiting)
    show(pool_table)
    living = {seen.worker.id: seen.worker for each in found for seen in each.workers}
    if not living:
        click.echo("no worker is alive")
        return
    worker_table = make_table("worker", "device", "free MB", "pools", "loaded", "jobs")
    for worker in living.values():
        pools_of_it = worker.pools[0] if len(worker.pools) == 1 else str(len(worker.pools))
        free = "" if worker.free_memory_mb is None else str(worker.free_memory_mb)
        loaded, at = ", ".join(worker.models), "\n".join(worker.job_ids) or "idle"
        worker_table.add_row(worker.id, f"{worker.device} {worker.device_name}", free, pools_of_it, loaded, at)
    show(worker_table)


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.pass_context
def jobs(context: click.Context, limit: int) -> None:
    """List the newest jobs, or those that are stuck."""
    if context.invoked_subcommand is None:
        _newest_jobs(limit)


@jobs.command()
def stuck() -> None:
    """List overdue jobs, with the reason. Exits with 1 if there are any. `stemsvc recover` makes them go on."""
    from stemsvc.control.overdue import find_stuck
    from stemsvc.control.services import open_services

    settings = settings_of_what_runs()
    services = open_services(settings)
    found = find_stuck(
        services.store,
        services.publisher,
        sweep_seconds=settings.dispatch_interval_seconds,
        republish_seconds=settings.republish_seconds,
        time_limit=settings.job_time_limit_seconds,
    )
    services.close()
    if not found:
        click.echo("no job is stuck")
        return
    table = make_table("id", "state", "pool", "attempt", "overdue", "why")
    for each in found:
        job = each.job
        attempt = f"{job.attempt}/{job.max_attempts}"
        table.add_row(job.id, str(job.state), job.pool, attempt, f"{each.seconds:.0f} s", each.why)
    show(table)
    sys.exit(1)


@click.command()
@click.argument("job_id", nargs=-1)
def recover(job_id: tuple[str, ...]) -> None:
    """Take jobs back from silent workers now, and publish queued jobs that have no message.

    A running job that JOB_ID names is taken from its worker too, and tried again.
    """
    from stemsvc.control.services import open_services
    from stemsvc.observe.logs import configure_logs

    services = open_services(settings_of_what_runs())
    configure_logs(services.settings.log_format, services.settings.log_level)
    taken, published = services.dispatcher.recover(job_id)
    services.close()
    click.echo(f"{taken} jobs taken back, {published} published")


def _newest_jobs(limit: int) -> None:
    from datetime import datetime

    from stemsvc.jobstore import JobStore

    store = JobStore(plain_settings().resolved_database_url)
    found = store.recent(limit)
    store.close()
    if not found:
        click.echo("no jobs")
        return
    table = make_table("id", "created", "state", "model", "progress", "stage", "attempt", "error")
    for job in found:
        created = datetime.fromtimestamp(job.created_at).strftime("%Y-%m-%d %H:%M:%S")
        cells = (job.id, created, str(job.state), job.spec.model or job.kind, f"{job.fraction:.0%}", job.stage)
        table.add_row(*cells, f"{job.attempt}/{job.max_attempts}", job.error_code or "")
    show(table)
