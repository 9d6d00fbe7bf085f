"""`stemsvc migrate`: the tables of the job store."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

PAUSE = 2.0  # seconds between two looks at a store that does not answer


@click.command()
@click.option(
    "--to",
    "revision",
    default="head",
    show_default=True,
    help="release (such as 0.2) or revision of the tables; an earlier one for a rollback",
)
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="seconds to wait for a job store that does not answer yet",
)
def migrate(revision: str, wait: float) -> None:
    """Bring the job store's tables up to date, or back to those of an earlier release or REVISION.

    Any number of processes may run it at once: one does the work, and the others find nothing to do.
    """
    from stemsvc.cli.terminal import plain_settings
    from stemsvc.host.folders import private_folder
    from stemsvc.jobstore.engine import migrate as bring
    from stemsvc.migrations.releases import RELEASES

    settings = plain_settings()
    if not settings.database_url:
        private_folder(settings.data_dir)
    wanted = RELEASES.get(revision, revision)
    now = _patiently(lambda: bring(settings.resolved_database_url, wanted), wait)
    click.echo(f"the tables are at revision {now}")


def _patiently(bring: Callable[[], str], seconds: float) -> str:
    """Try again while the store does not answer. Raises `StoreUnavailable` when the time is over."""
    from stemsvc.errors import StoreUnavailable

    deadline, said = time.monotonic() + seconds, ""
    while True:
        try:
            return bring()
        except StoreUnavailable as error:
            if time.monotonic() + PAUSE > deadline:
                raise
            if error.detail != said:
                click.echo(f"waiting: {error.detail}", err=True)
            said = error.detail
        time.sleep(PAUSE)
