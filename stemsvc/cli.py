"""The command line. `api` and `workers` add their own commands through the entry points `stemsvc.commands`."""

from __future__ import annotations

import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stemsvc.embedded.flower import flower
from stemsvc.errors import StemsvcError
from stemsvc.jobs import Priority
from stemsvc.key_commands import keys
from stemsvc.report_commands import report
from stemsvc.webhook_commands import webhooks
from stemsvc.weights.commands import models

if TYPE_CHECKING:  # a bare GPU machine, where only `bench engine` is to run, has neither rich nor pydantic
    from rich.table import Table

    from stemsvc.settings import Settings


def _settings() -> Settings:
    from stemsvc.settings import Settings

    return Settings()


def _settings_of_what_runs() -> Settings:
    """The settings, with the private broker of the stack that runs over this data folder where none is set."""
    from stemsvc.embedded.stack import running

    settings = _settings()
    stack = None if "broker_url" in settings.model_fields_set else running(settings)
    return settings.model_copy(update={"broker_url": stack.broker_url}) if stack else settings


def _table(*columns: str) -> Table:
    from rich.table import Table

    return Table(*columns)


def _print(table: Table) -> None:
    from rich.console import Console

    Console().print(table)


class _Commands(click.Group):
    """Our commands and those of the installed parts, loaded when called; errors as one line with their code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(point.name for point in entry_points(group="stemsvc.commands"))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        for point in entry_points(group="stemsvc.commands", name=cmd_name) if found is None else ():
            found = point.load()
        return found

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except StemsvcError as error:
            click.echo(f"stemsvc: {error.code}: {error.detail}", err=True)
            sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stemsvc")
def main() -> None:
    """Split music into stems, as a service. Settings are STEMSVC_* environment variables."""


main.add_command(models)
main.add_command(keys)
main.add_command(webhooks)
main.add_command(report)
main.add_command(flower)


@main.command()
@click.option("--host", help="address the api listens on")
@click.option("--port", type=int, help="port the api listens on; 0 for any free one")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="where everything is kept")
@click.option("--broker", help="a Redis of yours instead of a private one")
@click.option("--detach", is_flag=True, help="return once it is up; `stemsvc down` stops it")
@click.option("--download-models", is_flag=True, help="have the weights of all pools' models here first")
@click.option("--flower", "flower_port", type=int, is_flag=False, flag_value=5555, help="show tasks at this port: 5555")
def up(
    host: str | None, port: int | None, data_dir: Path | None, broker: str | None, detach: bool,
    download_models: bool, flower_port: int | None,
) -> None:  # fmt: skip
    """Run everything on this machine until Ctrl-C: Redis, api, dispatcher, workers."""
    from stemsvc.embedded import background
    from stemsvc.embedded.stack import run_stack

    changes = {"api_host": host, "api_port": port, "data_dir": data_dir and data_dir.resolve(), "broker_url": broker,
               "flower_port": flower_port}  # fmt: skip
    settings = _settings().model_copy(update={name: value for name, value in changes.items() if value is not None})
    if download_models:
        from stemsvc.catalog import load_catalog
        from stemsvc.logs import configure_logs
        from stemsvc.pools import parse_pools
        from stemsvc.weights.show import pull_for

        configure_logs(settings)
        catalog = load_catalog(settings.catalog)
        pull_for(settings, catalog, parse_pools(settings.pools, catalog.names))
    if detach:
        stack = background.start(settings)
        click.echo(f"stemsvc is up at {stack.url} (API description: {stack.url}/docs/)")
        click.echo(f"logs and data: {settings.data_dir}\n`stemsvc down` stops it")
        return
    run_stack(settings, private_broker="broker_url" not in settings.model_fields_set, say=click.echo)


@main.command()
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="the folder given to `up`")
def down(data_dir: Path | None) -> None:
    """Stop what `up` started."""
    from stemsvc.embedded import background

    settings = _settings().model_copy(update={"data_dir": data_dir.resolve()} if data_dir else {})
    click.echo(f"stopped {background.stop(settings).url}")


@main.command()
@click.argument("song", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-output"), show_default=True
)
@click.option("--url", help="a running stemsvc; without it one is started and stopped again")
@click.option("--key", help="a key of the service at --url")
@click.option("--model", default="demo", show_default=True)
def demo(song: Path | None, output: Path, url: str | None, key: str | None, model: str) -> None:
    """Separate SONG (or the bundled one) over HTTP and show what came back."""
    from stemsvc.demo.show import run_demo

    run_demo(song, output, url, model, key)


@main.command()
@click.option("--to", "revision", default="head", show_default=True, help="revision of the tables, as for a rollback")
def migrate(revision: str) -> None:
    """Bring the job store's tables up to date, or back to an earlier REVISION."""
    from stemsvc.jobstore.engine import migrate as bring

    settings = _settings()
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    click.echo(f"the tables are at revision {bring(settings.resolved_database_url, revision)}")


@main.command()
def dispatcher() -> None:
    """Keep queued jobs' messages alive and take jobs back from silent workers."""
    import signal

    from stemsvc import metrics
    from stemsvc.dispatch import repeat
    from stemsvc.logs import configure_logs
    from stemsvc.services import open_services
    from stemsvc.telemetry import configure_traces

    settings = _settings()
    configure_logs(settings)
    configure_traces(settings, "dispatcher")
    metrics.serve(settings)
    services = open_services(settings)
    # The signals are waited for, not handled: a handler that interrupts Event.wait and calls Event.set can lock up.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    stop = threading.Event()

    def sweep() -> None:
        services.dispatcher.sweep()
        if settings.alive_file:
            settings.alive_file.touch()

    sweeps = (
        (sweep, settings.dispatch_interval_seconds),
        (services.janitor.sweep, settings.janitor_interval_seconds),  # apart: to list all objects takes its time
    )
    threads = [threading.Thread(target=repeat, args=(sweep, pause, stop)) for sweep, pause in sweeps]
    for thread in threads:
        thread.start()
    signal.sigwait(ends)
    stop.set()
    for thread in threads:
        thread.join()
    services.close()


@main.command()
def pools() -> None:
    """List the pools: what they serve, who lives, how many jobs wait and run."""
    from stemsvc.pool_status import pool_statuses
    from stemsvc.services import open_services

    services = open_services(_settings_of_what_runs())
    found = pool_statuses(services.store, services.pools)
    services.close()
    lines = _table("pool", "device", "models", "slots", "running", "high", "normal", "low")
    for each in found:
        models, device = (", ".join(each.pool.models), each.pool.device) if each.pool else ("", "")
        waiting = (str(each.waiting.get(priority, 0)) for priority in Priority)
        lines.add_row(each.name, device, models, str(each.slots), str(each.running), *waiting)
    _print(lines)
    living = {seen.worker.id: seen.worker for each in found for seen in each.workers}
    if not living:
        click.echo("no worker lives")
        return
    table = _table("worker", "device", "free MB", "pools", "loaded", "jobs")
    for worker in living.values():
        pools_of_it = worker.pools[0] if len(worker.pools) == 1 else str(len(worker.pools))
        free = "" if worker.free_memory_mb is None else str(worker.free_memory_mb)
        loaded, at = ", ".join(worker.models), "\n".join(worker.job_ids) or "idle"
        table.add_row(worker.id, f"{worker.device} {worker.device_name}", free, pools_of_it, loaded, at)
    _print(table)


@main.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.pass_context
def jobs(context: click.Context, limit: int) -> None:
    """List the newest jobs, or those that are stuck."""
    if context.invoked_subcommand is None:
        _newest_jobs(limit)


@jobs.command()
def stuck() -> None:
    """List jobs that are overdue, with the reason; exits with 1 where there are any. `stemsvc recover` mends them."""
    from stemsvc.services import open_services
    from stemsvc.stuck import find_stuck

    services = open_services(_settings_of_what_runs())
    found = find_stuck(services.store, services.publisher, services.settings)
    services.close()
    if not found:
        click.echo("no job is stuck")
        return
    table = _table("id", "state", "pool", "attempt", "overdue", "why")
    for each in found:
        job = each.job
        attempt = f"{job.attempt}/{job.max_attempts}"
        table.add_row(job.id, str(job.state), job.pool, attempt, f"{each.seconds:.0f} s", each.why)
    _print(table)
    sys.exit(1)


@main.command()
@click.argument("job_id", nargs=-1)
def recover(job_id: tuple[str, ...]) -> None:
    """Take jobs back from silent workers and publish what has no message, now.

    Running jobs given by JOB_ID are taken from their workers too and tried again.
    """
    from stemsvc.logs import configure_logs
    from stemsvc.services import open_services

    services = open_services(_settings_of_what_runs())
    configure_logs(services.settings)
    taken, published = services.dispatcher.recover(job_id)
    services.close()
    click.echo(f"{taken} jobs taken back, {published} published")


def _newest_jobs(limit: int) -> None:
    from datetime import datetime

    from stemsvc.jobstore import JobStore

    store = JobStore(_settings().resolved_database_url)
    found = store.recent(limit)
    store.close()
    if not found:
        click.echo("no jobs")
        return
    table = _table("id", "created", "state", "model", "progress", "stage", "attempt", "error")
    for job in found:
        created = datetime.fromtimestamp(job.created_at).strftime("%Y-%m-%d %H:%M:%S")
        cells = (job.id, created, str(job.state), job.options.model, f"{job.fraction:.0%}", job.stage)
        table.add_row(*cells, f"{job.attempt}/{job.max_attempts}", job.error_code or "")
    _print(table)


@main.command()
def doctor() -> None:
    """Check each part of the installation; exits with 1 when one is broken."""
    from stemsvc.doctor import examine

    findings = examine(_settings())
    table = _table("part", "state", "what", "to do")
    for finding in findings:
        table.add_row(finding.part, "[green]ok" if finding.ok else "[red]broken", finding.what, finding.remedy)
    _print(table)
    if not all(finding.ok for finding in findings):
        sys.exit(1)
