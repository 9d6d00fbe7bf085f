"""`stemsvc report`: what clients used, for operators."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from stemsvc.cli.stores import opened_store
from stemsvc.cli.terminal import AS_JSON, Column, Listing, plain_settings, print_json

DAY = 86400.0  # seconds


@click.group(invoke_without_command=True)
@click.option("--days", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True)
@AS_JSON
@click.pass_context
def report(context: click.Context, days: float, as_json: bool) -> None:
    """Sum up what each key used: jobs, minutes of audio, seconds of devices, and their cost at the set price."""
    if context.invoked_subcommand is None:
        _accounts(days, as_json)


@report.command()
@click.option(
    "--date",
    type=click.DateTime(["%Y-%m-%d"]),
    help="the day, in UTC; default: the last 24 hours, from a full hour on",
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="write a page that loads nothing")
@AS_JSON
def daily(date: datetime | None, html: Path | None, as_json: bool) -> None:
    """Report a day: jobs, failures by code, waiting times, devices' hours, cost, storage, the keys that used most."""
    from stemsvc.control.daily import Prices, daily_report
    from stemsvc.control.daily_html import daily_page
    from stemsvc.errors import BadOutput
    from stemsvc.host.folders import for_the_caller
    from stemsvc.jobstore.daily import Daily

    settings = plain_settings()
    since = date.replace(tzinfo=UTC).timestamp() if date else math.ceil(time.time() / 3600) * 3600 - DAY
    prices = Prices(settings.price_per_device_hour, settings.currency)
    with opened_store() as store:
        read = Daily(settings.resolved_database_url)
        try:
            found = daily_report(store, read, since, since + DAY, prices)
        finally:
            read.close()
    if html:
        try:
            with for_the_caller():
                html.write_text(daily_page(found), encoding="utf-8")
        except OSError as error:
            raise BadOutput(f"{html} can't be written: {error.strerror}") from error
    if as_json:
        print_json(found)
    elif html:
        click.echo(html)
    else:
        _show_day(found)


def _show_day(found: dict[str, Any]) -> None:
    from stemsvc.control.daily_html import size

    counts = ", ".join(f"{count} {state}" for state, count in found["jobs"].items() if count) or "none"
    waiting = found["waiting"]
    click.echo(f"{found['since']} to {found['until']}")
    click.echo(f"jobs: {counts}; {found['cached']} taken from earlier ones")
    if waiting["p50"] is not None:
        told = {"median": "p50", "95 %": "p95", "longest": "max"}
        click.echo("waiting: " + ", ".join(f"{name} {waiting[key]:.1f} s" for name, key in told.items()))
    cost = f"{found['cost']:.2f} {found['currency']}"
    click.echo(f"audio: {found['audio_hours']:.2f} h; devices: {found['device_hours']:.2f} h, {cost}")
    click.echo(f"stored now: {size(found['stored_bytes'])}")
    for title, rows in (("failures", found["failures"]), ("keys", found["keys"]), ("models", found["models"])):
        if rows:
            click.echo()
            listing = Listing(*(Column(name, right=not isinstance(rows[0][name], str)) for name in rows[0]))
            for row in rows:
                listing.add(*row.values())
            click.echo(f"{title}:")
            listing.show()


def _accounts(days: float, as_json: bool) -> None:

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
