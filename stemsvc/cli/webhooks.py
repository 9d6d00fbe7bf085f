"""`stemsvc webhooks`: lists deliveries, sends them again, and manages the secrets that sign them."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from stemsvc.cli.keys import open_store
from stemsvc.errors import DeliveryNotFound, KeyNotFound

KEY = click.argument("key_id", required=False, default="")


@click.group()
def webhooks() -> None:
    """List webhook deliveries, send them again, and manage the secrets that sign them."""


@webhooks.command("list")
@click.option("--state", type=click.Choice(["pending", "delivered", "dead"]))
@click.option("--job", "job_id", help="only deliveries of this job")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
def list_(state: str | None, job_id: str | None, limit: int) -> None:
    """List deliveries, the newest first."""
    from rich.console import Console
    from rich.table import Table

    store = open_store()
    found = store.webhooks.recent(limit, state, job_id)
    store.close()
    table = Table("id", "job", "type", "state", "tries", "made", "last try")
    for each in found:
        made = datetime.fromtimestamp(each.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        table.add_row(each.id, each.job_id, each.type, each.state, str(each.attempt), made, each.detail or "")
    if found:
        Console().print(table)
    else:
        click.echo("no deliveries")


@webhooks.command()
@click.argument("delivery_ids", nargs=-1, required=True)
def replay(delivery_ids: tuple[str, ...]) -> None:
    """Send deliveries again, whatever their state."""
    store = open_store()
    unknown = [each for each in delivery_ids if not store.webhooks.replay(each)]
    store.close()
    click.echo(f"{len(delivery_ids) - len(unknown)} will be sent again")
    if unknown:
        raise DeliveryNotFound(f"no delivery {unknown[0]}")


@webhooks.command()
@KEY
def secret(key_id: str) -> None:
    """Print the secret that signs the webhooks of the key KEY_ID. Without KEY_ID: of jobs without a key."""
    store = open_store()
    _check_key(key_id)
    (newest, *_) = store.webhooks.secrets(key_id)
    store.close()
    click.echo(newest)


@webhooks.command()
@KEY
@click.option(
    "--keep-hours",
    type=click.FloatRange(0),
    default=24.0,
    show_default=True,
    help="time that the old secret still signs",
)
def rotate(key_id: str, keep_hours: float) -> None:
    """Make a new secret and print it. The old one signs beside it for some hours."""
    _check_key(key_id)
    store = open_store()
    made = store.webhooks.rotate(key_id, keep_hours * 3600)
    store.close()
    click.echo(made)


def _check_key(key_id: str) -> None:
    store = open_store()
    known = not key_id or store.keys.find(key_id)
    store.close()
    if not known:
        raise KeyNotFound(f"no key {key_id}")
