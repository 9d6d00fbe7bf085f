"""`stemsvc recipes`: the recipes that are bundled and the operator's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.terminal import AS_JSON, Listing, plain_settings, print_json, printable
from stemsvc.errors import BadRecipe

if TYPE_CHECKING:
    from stemsvc.workflows.recipes import Param


@click.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def recipes(context: click.Context, as_json: bool) -> None:
    """List recipes, look at one, check files of your own."""
    if context.invoked_subcommand is None:
        _list(as_json)


@recipes.command("list")
@AS_JSON
def list_(as_json: bool) -> None:
    """List the recipes: those that are bundled, and those that STEMSVC_RECIPES names."""
    _list(as_json)


@recipes.command()
@click.argument("name")
@AS_JSON
def show(name: str, as_json: bool) -> None:
    """Show a recipe: its params, its steps, its outputs."""
    from stemsvc.workflows.recipes import load_recipes

    recipe = load_recipes(plain_settings().recipes).get(name)
    if as_json:
        print_json(recipe.model_dump())
        return
    click.echo(printable(f"{recipe.title}: {recipe.summary}"))
    if recipe.params:
        click.echo()
        params = Listing("param", "type", "default", "means")
        for each, param in recipe.params.items():
            params.add(each, _type(param), _word(param.default), _means(param))
        params.show()
    click.echo()
    steps = Listing("step", "does", "takes", "for each")
    for step in recipe.steps:
        steps.add(step.get("id"), step.get("do"), _takes(step), step.get("for_each"))
    steps.show()
    if recipe.outputs:
        click.echo(f"\noutputs: {', '.join(recipe.outputs)}")


@recipes.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@AS_JSON
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check recipes whole: FILE..., or those that are bundled and those that STEMSVC_RECIPES names.

    Exits with 1 if one is wrong, and names its file, line and key.
    """
    from stemsvc.cli.specifying import specifier
    from stemsvc.models.catalog import load_catalog
    from stemsvc.workflows.recipes import check_recipe, recipe_files

    settings = plain_settings()
    specify = specifier(load_catalog(settings.catalog, settings.default_model, accepted=settings.licences))
    results: list[dict[str, Any]] = []
    for path in files or recipe_files(settings.recipes):
        try:
            found = {"recipe": check_recipe(path, specify).name, "error": None}
        except BadRecipe as error:
            found = {"recipe": None, "error": error.detail}
        results.append({"file": str(path), **found})
    if as_json:
        print_json(results)
    else:
        for each in results:
            click.echo(
                printable(each["error"] or f"{each['file']}: {each['recipe']} is right"), err=bool(each["error"])
            )
    if any(each["error"] for each in results):
        sys.exit(1)


def _list(as_json: bool) -> None:
    from stemsvc.workflows.recipes import load_recipes

    found = load_recipes(plain_settings().recipes).all
    if as_json:
        print_json([recipe.model_dump() for recipe in found])
        return
    listing = Listing("name", "what it makes")
    for recipe in found:
        listing.add(recipe.name, recipe.summary)
    listing.show()


def _type(param: Param) -> str:
    if param.type == "choice":
        return ", ".join(param.choices)
    bounds = [f"{each:g}" for each in (param.least, param.most) if each is not None]
    return f"{param.type} {' to '.join(bounds)}".strip()


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _means(param: Param) -> str:
    return f"{param.title} ({param.help})" if param.help else param.title


def _takes(step: dict[str, Any]) -> str:
    """What a step works on, in the recipe's words."""
    given = step.get("inputs", {})
    texts = [each for refs in given.values() for each in (refs if isinstance(refs, list) else [refs])]
    for value in (step.get("with") or {}).values():
        entries = value if isinstance(value, list) else []
        texts += [each["source"] for each in entries if isinstance(each, dict) and "source" in each]
    return " ".join(map(str, texts)) or "source"
