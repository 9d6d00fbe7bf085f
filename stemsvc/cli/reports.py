"""`stemsvc report`: what clients used, for operators."""

from __future__ import annotations

import click

from stemsvc.cli.stores import opened_store
from stemsvc.cli.terminal import AS_JSON, Column, Listing, plain_settings, print_json


@click.command()
@click.option("--days", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True)
@AS_JSON
def report(days: float, as_json: bool) -> None:
    """Sum up what each key used: jobs, minutes of audio, seconds of devices, and their cost at the set price."""
    import time

    from stemsvc.control.bill import bill

    settings = plain_settings()
    with opened_store() as store:
        accounts = store.usage.accounts(time.time() - days * 86400)
        names = {key.id: key.name for key in store.keys.all()}
    billed = [bill(account, settings.price_per_device_hour) for account in accounts]
    if as_json:
        named = [{"name": names.get(each.owner), **found} for each, found in zip(accounts, billed, strict=True)]
        print_json({"days": days, "currency": settings.currency, "accounts": named})
        return
    if not accounts:
        click.echo("no jobs in that time")
        return
    figures = ("jobs", "succeeded", "failed", "cached", "audio min", "device s", settings.currency)
    listing = Listing("key", *(Column(name, right=True) for name in figures))
    for account, found in zip(accounts, billed, strict=True):
        who = names.get(account.owner, account.owner) or "(no key)"
        counts = (account.total, account.jobs.get("succeeded", 0), account.jobs.get("failed", 0), account.cached)
        sums = (f"{found['audio_minutes']:.1f}", f"{found['device_seconds']:.1f}", f"{found['cost']:.2f}")
        listing.add(who, *counts, *sums)
    listing.show()
