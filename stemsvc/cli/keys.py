"""`stemsvc keys`: the operator makes, lists and revokes clients' keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from stemsvc.accounts.keys import DEFAULT_SCOPES, Key, Scope, new_key
from stemsvc.errors import BadName, KeyNotFound
from stemsvc.jobs.record import Priority

if TYPE_CHECKING:
    from stemsvc.jobstore import JobStore


PRIORITY = click.Choice([each.word for each in Priority])


@click.group()
def keys() -> None:
    """Make, list, change and revoke clients' keys. Once a key exists, every request needs one."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([str(scope) for scope in Scope]),
    default=[str(scope) for scope in DEFAULT_SCOPES],
    show_default=True,
    help="what the key may do; repeatable",
)
@click.option(
    "--max-waiting", type=click.IntRange(0), help="most jobs that may wait; default: STEMSVC_MAX_WAITING_PER_KEY"
)
@click.option("--minutes-per-day", type=click.FloatRange(0), help="audio that the key may send; default: no limit")
@click.option(
    "--max-stored-bytes",
    type=click.IntRange(0),
    help="most bytes of files that the key may store; 0: no limit; default: STEMSVC_MAX_STORED_BYTES_PER_KEY",
)
@click.option(
    "--max-priority",
    type=PRIORITY,
    default=Priority.NORMAL.word,
    show_default=True,
    help="highest priority of its jobs; a key with the scope admin may send any",
)
def create(
    name: str,
    scopes: tuple[str, ...],
    max_waiting: int | None,
    minutes_per_day: float | None,
    max_stored_bytes: int | None,
    max_priority: str,
) -> None:
    """Make a key for NAME and print it. It is shown only this once."""
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise BadName("a name has 1 to 200 printable characters")
    key, token = new_key(name.strip(), frozenset(Scope(scope) for scope in scopes))
    key = replace(
        key,
        max_waiting=max_waiting,
        minutes_per_day=minutes_per_day,
        max_stored_bytes=max_stored_bytes,
        max_priority=Priority[max_priority.upper()],
    )
    store = open_store()
    store.keys.add(key)
    store.close()
    click.echo(f"key {key.id} for {key.name}: {', '.join(sorted(key.scopes))}", err=True)
    click.echo(token)


@keys.command("list")
def list_() -> None:
    """List the keys. Their secrets are not stored."""
    from rich.console import Console
    from rich.table import Table

    store = open_store()
    found = store.keys.all()
    store.close()
    table = Table("id", "name", "scopes", "limits", "priority", "created", "revoked")
    for key in found:
        revoked = _moment(key.revoked_at) if key.revoked_at else ""
        scopes = " ".join(sorted(key.scopes))
        table.add_row(key.id, key.name, scopes, _limits(key), key.highest.word, _moment(key.created_at), revoked)
    if found:
        Console().print(table)
    else:
        click.echo("no keys: anyone who reaches the api on the loopback can use it")


@keys.command()
@click.argument("key_id")
@click.option("--max-priority", type=PRIORITY, required=True, help="highest priority of its jobs from now on")
def change(key_id: str, max_priority: str) -> None:
    """Change what the key KEY_ID may do. The api knows within seconds. Jobs that were accepted stay as they are."""
    store = open_store()
    changed = store.keys.allow(key_id, Priority[max_priority.upper()])
    store.close()
    if not changed:
        raise KeyNotFound(f"no valid key {key_id}")
    click.echo(f"jobs of {key_id} have at most the priority {max_priority}")


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke the key KEY_ID. Within seconds the api refuses it. Its jobs stay."""
    store = open_store()
    revoked = store.keys.revoke(key_id)
    store.close()
    if not revoked:
        raise KeyNotFound(f"no valid key {key_id}")
    click.echo(f"revoked {key_id}")


def open_store() -> JobStore:
    """Bring the tables of the job store that the settings name up to date, and open it."""
    from stemsvc.accounts.cipher import open_cipher
    from stemsvc.folders import private_folder
    from stemsvc.jobstore import JobStore
    from stemsvc.jobstore.engine import migrate
    from stemsvc.settings import Settings

    settings = Settings()
    if not settings.database_url:
        private_folder(settings.data_dir)
    migrate(settings.resolved_database_url)
    return JobStore(settings.resolved_database_url, cipher=open_cipher(settings))


def _limits(key: Key) -> str:
    """What the key says of its own limits, one a line."""
    said = {"waiting": key.max_waiting, "min/day": key.minutes_per_day, "bytes": key.max_stored_bytes}
    return "\n".join(f"{limit:.12g} {name}" for name, limit in said.items() if limit is not None)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
