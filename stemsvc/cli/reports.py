"""`stemsvc report`: what clients used, for operators."""

from __future__ import annotations

import click

from stemsvc.cli.keys import open_store


@click.command()
@click.option("--days", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True)
def report(days: float) -> None:
    """Sum up what each key used: jobs, minutes of audio, seconds of devices, and their cost at the set price."""
    import time

    from rich.console import Console
    from rich.table import Table

    from stemsvc.control.bill import bill
    from stemsvc.settings import Settings

    settings, store = Settings(), open_store()
    accounts = store.usage.accounts(time.time() - days * 86400)
    names = {key.id: key.name for key in store.keys.all()}
    store.close()
    price = settings.price_per_device_hour
    table = Table("key", "jobs", "succeeded", "failed", "cached", "audio min", "device s", settings.currency)
    for account in accounts:
        billed = bill(account, price)
        who = names.get(account.owner, account.owner) or "(no key)"
        counts = (account.total, account.jobs.get("succeeded", 0), account.jobs.get("failed", 0), account.cached)
        figures = (f"{billed['audio_minutes']:.1f}", f"{billed['device_seconds']:.1f}", f"{billed['cost']:.2f}")
        table.add_row(who, *map(str, counts), *figures)
    if accounts:
        Console().print(table)
    else:
        click.echo("no jobs in that time")
