"""`stemsvc migrate`: the tables of the job store."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--to", "revision", default="head", show_default=True, help="revision of the tables; an earlier one for a rollback"
)
def migrate(revision: str) -> None:
    """Bring the job store's tables up to date, or back to an earlier REVISION."""
    from stemsvc.cli.terminal import plain_settings
    from stemsvc.folders import private_folder
    from stemsvc.jobstore.engine import migrate as bring

    settings = plain_settings()
    if not settings.database_url:
        private_folder(settings.data_dir)
    click.echo(f"the tables are at revision {bring(settings.resolved_database_url, revision)}")
