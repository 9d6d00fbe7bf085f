"""`stemsvc secrets`: the key that encrypts secrets in the job store, and the change from one key to the next."""

from __future__ import annotations

import click

from stemsvc.cli.stores import opened_store
from stemsvc.errors import BadSetting


@click.group()
def secrets() -> None:
    """Make a key for STEMSVC_SECRET_KEY, and encrypt the secrets in the job store with it."""


@secrets.command("new-key")
def new_key() -> None:
    """Print a new key. To rotate, put it before the old one: `STEMSVC_SECRET_KEY=NEW,OLD`."""
    from stemsvc.accounts.cipher import new_key as make

    click.echo(make())


@secrets.command()
def encrypt() -> None:
    """Encrypt every secret in the job store with the first key. Earlier keys are not needed after this."""
    with opened_store() as store:
        if not store.webhooks.has_key:
            raise BadSetting("set STEMSVC_SECRET_KEY first; `stemsvc secrets new-key` prints a key")
        click.echo(f"{store.webhooks.rewrite_secrets()} secrets encrypted")


@secrets.command()
def decrypt() -> None:
    """Store every secret in clear, for a rollback to a release that knows no key (0.2)."""
    with opened_store() as store:
        click.echo(f"{store.webhooks.rewrite_secrets(clear=True)} secrets are in clear")
