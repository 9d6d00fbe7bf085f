"""`stemsvc run`: a recipe over songs, in this process or by a service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stemsvc.cli.submit import INTERRUPTED, LINKS, SongType
from stemsvc.cli.submitting import KEY, URL
from stemsvc.cli.terminal import AS_JSON, print_json, printable
from stemsvc.errors import BadArguments, BadRecipeParams

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stemsvc.cli.run_files import RunResult
    from stemsvc.workflows.recipes import Recipe


@click.command()
@click.argument("recipe", required=False)
@click.argument("songs", nargs=-1, type=SongType(), metavar="SONG...")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="folder for files"
)
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="of the recipe; repeatable")
@click.option("--remote", is_flag=True, help="let a service do it: the one of --url, or the one that runs here")
@click.option("--resume", metavar="ID", help="go on with a service's workflow: follow it, or try again what failed")
@click.option("--device", default="cpu", show_default=True, help="where this process computes")
@URL
@KEY
@AS_JSON
def run(
    recipe: str | None,
    songs: tuple[str, ...],
    output: Path,
    params: tuple[str, ...],
    remote: bool,
    resume: str | None,
    device: str,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Run RECIPE over songs, in this process or by a service, and save what comes of them.

    `stemsvc recipes list` shows the recipes. Each step is done for each song. A run of this process that was
    interrupted goes on where it stopped when it is started again with the same folder. Prints the path of each file;
    progress and errors go to stderr. Exits with 1 if a step failed; the other files are saved all the same.
    """
    if resume is None and (recipe is None or not songs):
        raise click.UsageError("name a recipe and songs, or the workflow to --resume")
    if resume is not None and (recipe is not None or params):
        raise click.UsageError("--resume takes the workflow as it is: name no recipe, song or param")
    far = remote or url is not None or resume is not None
    if not far and (links := [song for song in songs if song.lower().startswith(LINKS)]):
        raise BadArguments(f"{links[0]} is a link, which a service fetches: add --remote, or --url")
    try:
        if far:
            result = _there(recipe, songs, params, output, resume, url, key)
        else:
            assert recipe is not None
            result = _here(recipe, songs, params, output, device)
    except KeyboardInterrupt:
        again = (
            "`stemsvc run --resume` goes on with the workflow" if far else "the same command goes on where it stopped"
        )
        click.echo(f"interrupted: {again}", err=True)
        sys.exit(INTERRUPTED)
    _say(result, as_json)
    if result.state != "succeeded":
        sys.exit(1)


def _here(recipe: str, songs: Iterable[str], params: Iterable[str], output: Path, device: str) -> RunResult:
    from stemsvc.cli.run_here import run_recipe
    from stemsvc.cli.terminal import plain_settings
    from stemsvc.workflows.recipes import load_recipes

    settings = plain_settings()
    found = load_recipes(settings.recipes).get(recipe)
    return run_recipe(found, params_of(found, params), [Path(song) for song in songs], output, device, settings)


def _there(
    recipe: str | None,
    songs: Iterable[str],
    params: Iterable[str],
    output: Path,
    resume: str | None,
    url: str | None,
    key: str | None,
) -> RunResult:
    from stemsvc.cli.run_files import make_folder
    from stemsvc.cli.run_there import Far
    from stemsvc.cli.submitting import service, translated

    make_folder(output)
    with translated(), Far(*service(url, key)) as far:
        if resume is None:
            assert recipe is not None
            found = far.recipe(recipe)
            workflow = far.start(found, params_of(found, params), list(songs))
            click.echo(f"workflow {workflow['id']}", err=True)
        else:
            workflow = far.resume(resume)
        return far.finish(workflow, output)


def params_of(recipe: Recipe, given: Iterable[str]) -> dict[str, object]:
    """The recipe's params of a command line, checked. Raises `UsageError` `bad_recipe_params`."""
    found: dict[str, object] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise BadRecipeParams(f"--param takes NAME=VALUE, not {each!r}")
        found[name] = recipe.params[name].parsed(value) if name in recipe.params else value
    recipe.filled(found)
    return found


def _say(result: RunResult, as_json: bool) -> None:
    for job, warnings in result.warnings.items():
        for each in warnings:
            click.echo(printable(f"warning: {job}: {each['code']}: {each['detail']}"), err=True)
    for job, error in result.errors.items():
        click.echo(printable(f"stemsvc: {job}: {error['code']}: {error['detail']}"), err=True)
    if as_json:
        print_json(result.told)
        return
    for path in result.files.values():
        click.echo(path)
