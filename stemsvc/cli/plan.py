"""`stemsvc plan`: what a recipe would take, or what so many jobs a day need, told before it runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.submit import LINKS, SongType
from stemsvc.cli.submitting import KEY, URL, service, translated
from stemsvc.cli.terminal import AS_JSON, Column, Listing, print_json
from stemsvc.errors import BadArguments, MissingPackages

if TYPE_CHECKING:
    from stemsvc_client import Client, Plan

PER_DAY = "--jobs-per-day"
WORDS = {"true": True, "yes": True, "false": False, "no": False}


class PlanOrSize(click.Command):
    """Answers for a recipe and its songs; with `--jobs-per-day` for a whole service, as `stemsvc size` does."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the command that the options ask for."""
        if parent is not None and any(each.partition("=")[0] == PER_DAY for each in args):
            group = parent.command
            size = group.get_command(parent, "size") if isinstance(group, click.Group) else None
            if size is None:
                raise MissingPackages(f"{PER_DAY} needs the workers' part of stemsvc, which is not installed here")
            return size.make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=PlanOrSize)
@click.argument("recipe")
@click.argument("songs", nargs=-1, required=True, type=SongType(), metavar="SONG...")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="a param of the recipe; repeatable")
@click.option("--device", help="auto, cpu, cuda or mps")
@URL
@KEY
@AS_JSON
def plan(
    recipe: str,
    songs: tuple[str, ...],
    params: tuple[str, ...],
    device: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Say what a recipe would take: its steps, their pools, waiting and working time, storage and cost.

    SONG is a file or a link. A file is not sent: its length will do. Nothing is made. With --jobs-per-day in place of a
    recipe it says what a service needs: see `stemsvc size`.
    """
    from stemsvc_client import Client

    with translated(), Client(*service(url, key)) as client:
        asked = {"recipe": recipe, "params": _read(client, recipe, params), **_songs(songs)}
        found = client.plan_workflow(**asked, **({"device": device} if device else {}))
    if as_json:
        print_json(found.raw)
    else:
        _show(found)


def _songs(songs: Iterable[str]) -> dict[str, Any]:
    """The songs as a plan takes them: links, or the lengths of files."""
    from stemsvc.jobs.probe import track_seconds

    links = [song for song in songs if song.lower().startswith(LINKS)]
    if links:
        if len(links) < len(tuple(songs)):
            raise BadArguments("plan either files or links: a plan takes one of the two")
        return {"sources": [{"url": link} for link in links]}
    lengths = []
    for song in songs:
        with Path(song).open("rb") as file:
            lengths.append(track_seconds(file))
    return {"seconds": lengths}


def _read(client: Client, recipe: str, given: Iterable[str]) -> dict[str, Any]:
    """The params, each as its type is in the recipe. The service refuses what does not fit."""
    types = {
        name: param.type for each in client.recipes() if each.name == recipe for name, param in each.params.items()
    }
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadArguments(f"--param takes NAME=VALUE, not {text!r}")
        found[name] = _value(types.get(name, "text"), value)
    return found


def _value(type: str, text: str) -> Any:
    if type == "flag":
        return WORDS.get(text.lower(), text)
    if type in ("number", "integer"):
        try:
            return int(text) if type == "integer" else float(text)
        except ValueError:
            return text
    return text


def _show(plan: Plan) -> None:
    names = ("waits s", "starts s", "works s", "ends s", "MB")
    listing = Listing("step", "kind", "pool", *(Column(name, right=True) for name in names), "after")
    for each in plan.steps:
        pool = each.pool if each.alive else f"{each.pool} (no worker)"
        seconds = (each.get("waiting_seconds", 0.0), each.starts_seconds, each.work_seconds, each.ends_seconds)
        numbers = (*(f"{number:.1f}" for number in seconds), f"{each.stored_bytes / 1e6:.1f}")
        listing.add(each.step, each.kind, pool, *numbers, ", ".join(each.get("after", ())))
    listing.show()
    if not all(each.get("measured") for each in plan.steps):
        click.echo("pools that have not worked yet are taken to be as fast as two cores of an AMD EPYC", err=True)
    cost = f", {plan.cost:.4f} {plan.currency}" if plan.cost else ""
    click.echo(
        f"{plan.waiting_seconds:.0f} s until it begins, {plan.total_seconds:.0f} s until it ends, "
        f"{plan.work_seconds:.0f} s of work, {plan.stored_bytes / 1e6:.1f} MB{cost}"
    )
