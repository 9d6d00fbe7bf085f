"""`stemsvc check`: what an operator looks at before somebody else does."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stemsvc.cli.terminal import AS_JSON, Listing, moment, print_json, printable

if TYPE_CHECKING:
    from stemsvc.control.parity import Difference
    from stemsvc.jobstore.processes import Process


@click.group()
def check() -> None:
    """Check how this installation is kept."""


@check.command()
@click.option(
    "--look",
    "places",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="another file or folder to look in, such as your values.yaml or what `helm template` renders; repeatable",
)
@AS_JSON
def secrets(places: tuple[Path, ...], as_json: bool) -> None:
    """Say which secrets are set, from where, how old, who can read them, and whether one is where it must not be.

    It looks in this installation's logs, the arguments of every process, and the chart where this is a checkout. It
    prints no secret. Exits with 1 if something is wrong.
    """
    from stemsvc.cli.secret_survey import survey

    found = survey(places)
    if as_json:
        shown = [{**asdict(each), "changed_at": moment(each.changed_at), "ok": each.ok} for each in found.secrets]
        print_json({"secrets": shown, "problems": found.problems, "looked_at": found.looked_at, "ok": found.ok})
    else:
        listing = Listing("secret", "from", "age", "note")
        for each in found.secrets:
            listing.add(each.name, each.origin, _age(each.age), each.note)
        listing.show()
        for problem in found.problems:
            click.echo(f"wrong: {printable(problem)}")
        click.echo("looked in " + ", ".join(f"{what}: {count}" for what, count in found.looked_at.items()))
    if not found.ok:
        sys.exit(1)


@check.command()
@AS_JSON
def parity(as_json: bool) -> None:
    """Compare what every live process runs with, and say who differs from the others, and how.

    Releases, migrations, settings, pools and the hashes of weights are compared. Of a secret only a mark is known, in
    which two secrets differ. Settings that may differ from process to process are left out. Exits with 1 where one
    differs.
    """
    from stemsvc.cli.stores import opened_store
    from stemsvc.cli.terminal import plain_settings
    from stemsvc.control.parity import differences
    from stemsvc.jobstore.engine import revisions

    settings = plain_settings()
    with opened_store() as store:
        processes = store.processes.living()
    found = differences(processes, revisions(settings.resolved_database_url)[0])
    if as_json:
        shown = [{"id": each.id, "role": each.role, "seen_at": moment(each.seen_at)} for each in processes]
        print_json({"processes": shown, "differences": [asdict(each) for each in found], "ok": not found})
    else:
        _show_parity(processes, found)
    if found:
        sys.exit(1)


def _show_parity(processes: list[Process], found: list[Difference]) -> None:
    listing = Listing("process", "role", "version", "since")
    for each in processes:
        listing.add(each.id, each.role, each.facts.get("version"), moment(each.started_at))
    listing.show()
    click.echo()
    for difference in found:
        click.echo(f"{difference.what}: most have {printable(difference.most)}")
        for value, ids in difference.others.items():
            click.echo(f"  {printable(', '.join(ids))}: {printable(value)}")
    if not processes:
        click.echo("no process is alive")
    elif not found:
        click.echo(f"all {len(processes)} processes agree")


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
