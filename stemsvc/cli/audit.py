"""`stemsvc audit`: what admins did."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import click

from stemsvc.cli.stores import opened_store
from stemsvc.cli.terminal import AS_JSON, Listing, moment, print_json
from stemsvc.jobstore.audit import Act


@click.command()
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True, help="the newest entries")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="only those of so many days")
@click.option("--act", "acts", multiple=True, type=click.Choice([str(each) for each in Act]), help="repeatable")
@click.option("--actor", help="only this key's, by its id, or this `user@host`'s")
@click.option("--target", help="only what was done to this job, key or pool")
@AS_JSON
def audit(
    limit: int, days: float | None, acts: tuple[str, ...], actor: str | None, target: str | None, as_json: bool
) -> None:
    """List what admins did, newest first: to keys, jobs, workflows and pools, from the api and the command line."""
    since = None if days is None else time.time() - days * 86400
    with opened_store() as store:
        found = store.audit.entries(limit, since=since, acts=acts, actor=actor, target=target)
    if as_json:
        print_json([{**asdict(each), "at": moment(each.at)} for each in found])
        return
    if not found:
        click.echo("no entries")
        return
    listing = Listing("at", "via", "actor", "act", "target", "detail")
    for each in found:
        told = json.dumps(each.detail, ensure_ascii=False) if each.detail else ""
        listing.add(moment(each.at), each.via, each.actor or "(no key)", each.act, each.target, told)
    listing.show()
