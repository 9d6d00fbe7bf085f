"""The command line. `api` and `workers` add their own commands through the entry points `stemsvc.commands`."""

from __future__ import annotations

import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path

import click

from stemsvc.cli.jobs import jobs, pools, recover
from stemsvc.cli.keys import keys
from stemsvc.cli.migrate import migrate
from stemsvc.cli.models import models
from stemsvc.cli.reports import report
from stemsvc.cli.secrets import secrets
from stemsvc.cli.terminal import make_table, plain_settings, show
from stemsvc.cli.webhooks import webhooks
from stemsvc.embedded.flower import flower
from stemsvc.errors import StemsvcError
from stemsvc.folders import private, tighten


class _Commands(click.Group):
    """Our commands and those of the installed parts, loaded when called. An error prints its code and detail.

    This is where every process of ours starts: no other user can read what it makes (`stemsvc.folders`). A command that
    writes where its user says, does so `for_the_caller`.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(point.name for point in entry_points(group="stemsvc.commands"))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        for point in entry_points(group="stemsvc.commands", name=cmd_name) if found is None else ():
            found = point.load()
        return found

    def invoke(self, ctx: click.Context) -> object:
        try:
            with private():
                return super().invoke(ctx)
        except StemsvcError as error:
            click.echo(f"stemsvc: {error.code}: {error.detail}", err=True)
            sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stemsvc")
def main() -> None:
    """Split music into stems, as a service. Settings are STEMSVC_* environment variables."""


main.add_command(migrate)
main.add_command(models)
main.add_command(keys)
main.add_command(secrets)
main.add_command(webhooks)
main.add_command(report)
main.add_command(flower)
main.add_command(jobs)
main.add_command(pools)
main.add_command(recover)


@main.command()
@click.option("--host", help="address the api listens on")
@click.option("--port", type=int, help="port the api listens on; 0 for any free one")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="folder for all data")
@click.option("--broker", help="URL of your own Redis, instead of a private one")
@click.option("--detach", is_flag=True, help="return once it is up; `stemsvc down` stops it")
@click.option("--download-models", is_flag=True, help="first download the weights of all pools' models")
@click.option(
    "--flower",
    "flower_port",
    type=int,
    is_flag=False,
    flag_value=5555,
    help="run Flower on this port; without a number, 5555",
)
def up(
    host: str | None,
    port: int | None,
    data_dir: Path | None,
    broker: str | None,
    detach: bool,
    download_models: bool,
    flower_port: int | None,
) -> None:
    """Run everything on this machine until Ctrl-C: Redis, api, dispatcher, workers."""
    from stemsvc.embedded import background
    from stemsvc.embedded.stack import run_stack

    changes = {
        "api_host": host,
        "api_port": port,
        "data_dir": data_dir and data_dir.resolve(),
        "broker_url": broker,
        "flower_port": flower_port,
    }
    settings = plain_settings().model_copy(update={name: value for name, value in changes.items() if value is not None})
    if download_models:
        from stemsvc.kinds.registry import configured_pools
        from stemsvc.models.catalog import load_catalog
        from stemsvc.models.pull import open_puller
        from stemsvc.models.weights_show import pull_for
        from stemsvc.observe.logs import configure_logs

        configure_logs(settings.log_format, settings.log_level)
        catalog = load_catalog(settings.catalog)
        pull_for(open_puller(settings), catalog, configured_pools(settings.pools, catalog))
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

    settings = plain_settings().model_copy(update={"data_dir": data_dir.resolve()} if data_dir else {})
    click.echo(f"stopped {background.stop(settings).url}")


@main.command()
@click.argument("song", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-output"), show_default=True
)
@click.option("--url", help="URL of a running stemsvc; without it, one is started and stopped again")
@click.option("--key", help="a key of the service at --url")
@click.option("--model", default="demo", show_default=True)
def demo(song: Path | None, output: Path, url: str | None, key: str | None, model: str) -> None:
    """Separate SONG over HTTP and show the result. Without SONG: the bundled song."""
    from stemsvc.demo.show import run_demo

    run_demo(song, output, url, model, key)


@main.command()
def dispatcher() -> None:
    """Publish queued jobs. Publish them again if the broker lost them, and take jobs back from silent workers."""
    import signal

    from stemsvc.control.dispatcher import repeat
    from stemsvc.control.services import open_services
    from stemsvc.observe import metrics
    from stemsvc.observe.logs import configure_logs
    from stemsvc.observe.traces import configure_traces

    # We wait for the signals and do not handle them: a handler that calls Event.set inside Event.wait can deadlock.
    # They are blocked before the first thread starts, for a thread that does not block them ends the process.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    settings = plain_settings()
    configure_logs(settings.log_format, settings.log_level)
    configure_traces("dispatcher", settings.otlp_endpoint, settings.trace_share)
    tighten(settings.data_dir)
    metrics.serve(settings.metrics_host, settings.metrics_port)
    services = open_services(settings)
    stop = threading.Event()

    def sweep() -> None:
        services.dispatcher.sweep()
        if settings.alive_file:
            settings.alive_file.touch()

    sweeps = (
        (sweep, settings.dispatch_interval_seconds),
        (
            services.janitor.sweep,
            settings.janitor_interval_seconds,
        ),  # in its own thread: it takes long to list all objects
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
def doctor() -> None:
    """Check each part of the installation. Exits with 1 if one is broken."""
    from stemsvc.cli.doctor import examine

    findings = examine(plain_settings())
    table = make_table("part", "state", "what", "to do")
    for finding in findings:
        table.add_row(finding.part, "[green]ok" if finding.ok else "[red]broken", finding.what, finding.remedy)
    show(table)
    if not all(finding.ok for finding in findings):
        sys.exit(1)
