"""`stemsvc recover`: jobs that are stuck go on."""

from __future__ import annotations

import click

from stemsvc.cli.terminal import settings_of_what_runs


@click.command()
@click.argument("job_ids", nargs=-1, metavar="[JOB_ID]...")
def recover(job_ids: tuple[str, ...]) -> None:
    """Take jobs back from silent workers now, and publish queued jobs that have no message.

    A running job that JOB_ID names is taken from its worker too, and tried again. The beginning of an id is enough.
    """
    from stemsvc.cli.jobs import whole_job_id
    from stemsvc.cli.stores import check_started
    from stemsvc.control.services import open_services
    from stemsvc.observe.logs import configure_logs

    settings = settings_of_what_runs()
    check_started(settings)
    services = open_services(settings)
    try:
        configure_logs(settings.log_format, settings.log_level)
        taken, published = services.dispatcher.recover([whole_job_id(services.store, each) for each in job_ids])
    finally:
        services.close()
    click.echo(f"{taken} jobs taken back, {published} published")
