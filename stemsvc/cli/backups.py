"""`stemsvc backup` and `stemsvc restore`: the service's rows, and its files where wanted, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stemsvc.cli.terminal import moment, plain_settings

if TYPE_CHECKING:
    from stemsvc.control.backup import Backup, Manifest
    from stemsvc.settings import Settings

FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@FILE
@click.option("--files", is_flag=True, help="put the songs and stems in too; a bucket has better ways to keep copies")
def backup(file: Path, files: bool) -> None:
    """Write a backup of the job store into FILE; the service may go on.

    It has jobs, keys (their secrets as hashes), webhooks, usage and the audit log, all of one moment. It fits into
    either database. Keep the settings and the key of STEMSVC_SECRET_KEY apart from it: they are not in it.
    """
    from stemsvc.cli.acting import acting
    from stemsvc.cli.stores import check_started, opened_store
    from stemsvc.control.backup import write_backup
    from stemsvc.jobstore.audit import Act
    from stemsvc.storage import open_storage

    settings = plain_settings()
    check_started(settings)
    made = write_backup(file, settings.resolved_database_url, open_storage(settings) if files else None)
    with opened_store() as store:
        store.audit.record(acting(), Act.BACKUP, file.name, files=files)
    _describe(made)
    click.echo(f"{file}: {file.stat().st_size} bytes, readable by this user alone")
    own = settings.data_dir / "secret.key"
    if not settings.database_url and own.exists():
        click.echo(f"keep a copy of {own} apart from it: it decrypts the secrets of webhooks", err=True)


@click.command()
@FILE
@click.option("--overwrite", is_flag=True, help="replace what the job store has: it is gone then")
@click.option("--check", "only_check", is_flag=True, help="only read FILE and compare its checksums")
def restore(file: Path, overwrite: bool, only_check: bool) -> None:
    """Load a backup FILE into the job store that the settings name, whole or not at all.

    The store may be of the other database than the one that was backed up. It must be empty, and no process of the
    service may run over it. Every checksum is compared before anything is written. A backup of an earlier release is
    brought up to date.
    """
    from stemsvc.control.backup import opened_backup

    with opened_backup(file) as found:
        found.check()
        _describe(found.manifest)
        if only_check:
            click.echo("every checksum fits")
            return
        settings = plain_settings()
        _check_target(settings, overwrite)
        _load(settings, file, found)


def _load(settings: Settings, file: Path, found: Backup) -> None:
    from stemsvc.cli.acting import acting
    from stemsvc.cli.stores import opened_store
    from stemsvc.host.folders import private_folder
    from stemsvc.jobstore.audit import Act
    from stemsvc.jobstore.dump import load
    from stemsvc.storage import open_storage

    if not settings.database_url:
        private_folder(settings.data_dir)
    files = found.put_into(open_storage(settings)) if found.keys() else 0  # rows come when their files are there
    counts = load(settings.resolved_database_url, found.manifest.revision, found.lines)
    with opened_store() as store:
        store.audit.record(acting(), Act.RESTORE, file.name, made_at=moment(found.manifest.made_at))
    click.echo(f"restored {sum(counts.values())} rows of {len(counts)} tables, {files} files")


def _check_target(settings: Settings, overwrite: bool) -> None:
    """Raise where a service runs over the store, or it has rows that nobody has said to overwrite."""
    from stemsvc.embedded.state import running
    from stemsvc.errors import AlreadyRunning, StoreNotEmpty
    from stemsvc.jobstore import JobStore
    from stemsvc.jobstore.dump import is_empty
    from stemsvc.jobstore.engine import revisions

    if stack := running(settings):
        raise AlreadyRunning(f"a service runs over {settings.data_dir} ({stack.url})")
    url = settings.resolved_database_url
    missing = not settings.database_url and not Path(url.removeprefix("sqlite:///")).is_file()
    if missing or revisions(url)[0] is None:
        return
    store = JobStore(url)
    try:
        living = [] if store.missing_revisions() else store.processes.living()
    finally:
        store.close()
    if living:
        raise AlreadyRunning(f"{len(living)} processes run over this store: {living[0].role} {living[0].id} and others")
    if not overwrite and not is_empty(url):
        raise StoreNotEmpty("the job store has rows: name an empty one, or say --overwrite")


def _describe(manifest: Manifest) -> None:
    rows = {name: member.rows for name, member in manifest.members.items() if member.rows is not None}
    files = [member.bytes for member in manifest.members.values() if member.rows is None]
    told = f", {len(files)} files of {sum(files)} bytes" if manifest.with_files else ", no files"
    click.echo(
        f"backup of {moment(manifest.made_at)} by stemsvc {manifest.version}, tables at revision {manifest.revision}: "
        f"{sum(rows.values())} rows{told}"
    )
