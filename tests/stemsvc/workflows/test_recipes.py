"""Recipes: the bundled ones, those of an operator, and what each wrong one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stemsvc.cli.specifying import specifier
from stemsvc.errors import BadRecipe, BadRecipeParams, UnknownRecipe
from stemsvc.models.catalog import load_catalog
from stemsvc.workflows.recipes import BUNDLED, check_recipe, load_recipes

SPECIFY = specifier(load_catalog(None, "demo"))
GOOD = """name: two
title: Two
summary: Splits twice.
params:
  stem: {type: choice, title: Stem, choices: [vocals, drums], default: vocals}
  shifts: {type: integer, title: Shifts, least: 0, most: 4, default: 1}
  loud: {type: flag, title: Loud, default: true}
steps:
  - id: split
    do: separate
    with: {stems: [$stem], shifts: $shifts, filename_template: "{name} {stem} ${stem}"}
  - id: again
    do: separate
    when: $loud
    inputs: {source: "split.${stem}"}
"""


def write(folder: Path, text: str, name: str = "two.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_bundled_recipe_is_right_with_its_defaults() -> None:
    names = [check_recipe(path, SPECIFY).name for path in sorted(BUNDLED.glob("*.yaml"))]
    assert names == sorted(names)
    assert [path.stem for path in sorted(BUNDLED.glob("*.yaml"))] == names
    assert [recipe.name for recipe in load_recipes().all] == names


def test_params_go_into_the_steps_with_their_types(tmp_path: Path) -> None:
    recipe = load_recipes(write(tmp_path, GOOD)).get("two")
    split, again = recipe.filled({"stem": "drums", "shifts": 2, "loud": False})
    assert split["with"] == {"stems": ["drums"], "shifts": 2, "filename_template": "{name} {stem} drums"}
    assert (again["when"], again["inputs"]) == (False, {"source": "split.drums"})
    assert [step["for_each"] for step in recipe.filled({}, 2)] == ["sources"] * 2


def test_a_folder_of_recipes_replaces_bundled_ones(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("name: two", "name: karaoke"))
    recipes = load_recipes(tmp_path)
    assert recipes.get("karaoke").title == "Two"
    with pytest.raises(UnknownRecipe, match="'two' is not one of"):
        recipes.get("two")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"stem": "bass"}, "params.stem: it must be one of vocals, drums"),
        ({"shifts": 9}, "params.shifts: it must be from 0 to 4"),
        ({"shifts": 1.5}, "params.shifts: it must be a whole number"),
        ({"shifts": True}, "params.shifts: it must be a number"),
        ({"shifts": float("nan")}, "params.shifts: it must be a number"),
        ({"loud": "yes"}, "params.loud: it must be true or false"),
        ({"bpm": 1}, "params.bpm: two has stem, shifts, loud"),
    ],
)
def test_wrong_params_are_told(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRecipeParams) as caught:
        load_recipes(write(tmp_path, GOOD)).get("two").filled(given)
    assert caught.value.detail == words


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title: Two", "titel: Two", "two.yaml:2: titel: there is no such key"),
        ("title: Two\n", "", "two.yaml:1: title: it must be there"),
        ("name: two", "name: Two Songs", "two.yaml:1: name: "),
        ("name: two", "name: two\nname: three", "two.yaml:2: name stands here twice"),
        ("type: flag", "type: switch", "two.yaml:7: params.loud.type: "),
        ("most: 4, default: 1", "most: 4, default: 5", "two.yaml:6: params.shifts: default must be from 0 to 4"),
        ("[$stem]", "[$stems]", "two.yaml:1: $stems is no parameter of it"),
        ("steps:\n", "steps: {}\nrest:\n", "two.yaml:"),
        ("do: separate\n    when", "do: cook\n    when", "two.yaml:13: steps[1].do: kind 'cook' is not one of"),
        ("split.${stem}", "split.flute", "two.yaml:15: steps[1].inputs.source: split has no output 'flute'"),
        ("name: two", "- a", "two.yaml:"),
        ("name: two", "name: two\n\tbad: 1", "two.yaml:"),
    ],
)
def test_a_wrong_recipe_is_told_by_line_and_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(BadRecipe) as caught:
        check_recipe(write(tmp_path, GOOD.replace(old, new, 1)), SPECIFY)
    assert words in caught.value.detail


def test_recipes_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match="no such file or folder"):
        load_recipes(tmp_path / "none")
