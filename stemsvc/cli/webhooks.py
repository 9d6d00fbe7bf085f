"""`stemsvc webhooks`: lists deliveries, sends them again, and manages the secrets that sign them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from stemsvc.cli.stores import opened_store, whole_id
from stemsvc.cli.terminal import AS_JSON, Listing, moment, print_json
from stemsvc.errors import DeliveryNotFound

if TYPE_CHECKING:
    from stemsvc.jobstore import JobStore

KEY = click.argument("key_id", required=False, default="")
TIMES = ("created_at", "first_at", "next_at", "ended_at")


@click.group()
def webhooks() -> None:
    """List webhook deliveries, send them again, and manage the secrets that sign them."""


@webhooks.command("list")
@click.option("--state", type=click.Choice(["pending", "delivered", "dead"]))
@click.option("--job", "job_id", help="only deliveries of this job; the beginning of its id is enough")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@AS_JSON
def list_(state: str | None, job_id: str | None, limit: int, as_json: bool) -> None:
    """List deliveries, the newest first."""
    with opened_store() as store:
        if job_id is not None:
            from stemsvc.cli.jobs import whole_job_id

            job_id = whole_job_id(store, job_id)
        found = store.webhooks.recent(limit, state, job_id)
    if as_json:
        shown = [{**asdict(each), **{name: moment(getattr(each, name)) for name in TIMES}} for each in found]
        print_json([{name: value for name, value in each.items() if not name.startswith("lease")} for each in shown])
        return
    if not found:
        click.echo("no deliveries")
        return
    listing = Listing("id", "job", "type", "state", "tries", "made", "last try")
    for each in found:
        made = datetime.fromtimestamp(each.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        listing.add(each.id, each.job_id, each.type, each.state, each.attempt, made, each.detail)
    listing.show()


@webhooks.command()
@click.argument("delivery_ids", nargs=-1, required=True, metavar="ID...")
def replay(delivery_ids: tuple[str, ...]) -> None:
    """Send deliveries again, whatever their state. The beginning of an id is enough."""
    with opened_store() as store:
        begins = partial(store.webhooks.begins, limit=10)
        found = [whole_id(each, begins, DeliveryNotFound(f"no delivery {each}")) for each in delivery_ids]
        for each in found:
            store.webhooks.replay(each)
    click.echo(f"{len(delivery_ids)} will be sent again")


@webhooks.command()
@KEY
@AS_JSON
def secret(key_id: str, as_json: bool) -> None:
    """Print the secret that signs the webhooks of the key KEY_ID. Without KEY_ID: of jobs without a key."""
    with opened_store() as store:
        owner = _owner(store, key_id)
        (newest, *_) = store.webhooks.secrets(owner)
    if as_json:
        print_json({"key_id": owner, "secret": newest})
    else:
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
    with opened_store() as store:
        made = store.webhooks.rotate(_owner(store, key_id), keep_hours * 3600)
    click.echo(made)


def _owner(store: JobStore, given: str) -> str:
    from stemsvc.cli.keys import whole_key

    return whole_key(store, given).id if given else ""
