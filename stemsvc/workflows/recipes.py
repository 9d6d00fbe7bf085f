"""Recipes: named workflows with parameters, bundled or the operator's own.

In a step, a text that is `$name` becomes the value of that parameter, and `${name}` within a text becomes its words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stemsvc.errors import BadRecipe, BadRecipeParams, UnknownRecipe, UsageError
from stemsvc.models.marked_yaml import read_marked
from stemsvc.workflows.graph import SOURCES, read_steps
from stemsvc.workflows.plan import Specify, check_outputs, planned

BUNDLED = Path(__file__).parent / "bundled"
MOST_TEXT = 1000
_NAME = r"^[a-z][a-z0-9-]{0,63}$"
_WHOLE = re.compile(r"\$([a-z][a-z0-9_]*)")
_WITHIN = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")
_ERRORS = {"extra_forbidden": "there is no such key", "missing": "it must be there"}


class Param(BaseModel):
    """A parameter of a recipe. `title` and `help` are for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["text", "number", "integer", "flag", "choice"]
    title: str
    help: str = ""
    default: str | bool | int | float
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    @model_validator(mode="after")
    def _default_fits(self) -> Param:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("choices are for the type choice, which needs them")
        if wrong := self.wrong(self.default):
            raise ValueError(f"default {wrong}")
        return self

    def wrong(self, value: object) -> str:
        """Why it can't have the value; empty if it can."""
        if self.type == "text":
            fits = isinstance(value, str) and len(value) <= MOST_TEXT
            return "" if fits else f"must be a text of at most {MOST_TEXT} characters"
        if self.type == "flag":
            return "" if isinstance(value, bool) else "must be true or false"
        if self.type == "choice":
            return "" if value in self.choices else f"must be one of {', '.join(self.choices)}"
        return self._wrong_number(value)

    def _wrong_number(self, value: object) -> str:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            return "must be a number"
        if self.type == "integer" and value != int(value):
            return "must be a whole number"
        least, most = -math.inf if self.least is None else self.least, math.inf if self.most is None else self.most
        return "" if least <= value <= most else f"must be from {least:g} to {most:g}"

    def parsed(self, text: str) -> object:
        """The value that a word of a command line or a form means; the word itself where it means none."""
        if self.type == "flag":
            return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
        if self.type in ("number", "integer"):
            try:
                return int(text) if self.type == "integer" else float(text)
            except ValueError:
                return text
        return text


class Recipe(BaseModel):
    """A named workflow. `steps` are those of `POST /v1/workflows`, with parameters in them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME)
    title: str
    summary: str
    params: dict[str, Param] = Field(default_factory=dict)
    steps: list[dict[str, Any]] = Field(min_length=1)
    outputs: list[str] = Field(default_factory=list)
    several: bool = Field(False, description="whether its steps take several sources together")

    @model_validator(mode="after")
    def _params_are_known(self) -> Recipe:
        for name in sorted(_names(self.steps)):
            if name not in self.params:
                raise ValueError(f"${name} is no parameter of it")
        return self

    def filled(self, given: Mapping[str, object], sources: int = 1) -> list[dict[str, Any]]:
        """The steps with these params. A recipe for one source does each of its steps for each of several `sources`.

        Raises `UsageError` `bad_recipe_params`.
        """
        if unknown := [name for name in given if name not in self.params]:
            raise BadRecipeParams(f"params.{unknown[0]}: {self.name} has {', '.join(self.params) or 'no params'}")
        values = {name: given.get(name, param.default) for name, param in self.params.items()}
        for name, value in values.items():
            if wrong := self.params[name].wrong(value):
                raise BadRecipeParams(f"params.{name}: it {wrong}")
        steps = [_filled(step, values) for step in self.steps]
        return steps if self.several or sources < 2 else [{"for_each": SOURCES, **step} for step in steps]


class Recipes:
    """The recipes by their names."""

    def __init__(self, recipes: Mapping[str, Recipe]) -> None:
        self._recipes = dict(recipes)

    @property
    def all(self) -> list[Recipe]:
        """Every recipe, by name."""
        return [self._recipes[name] for name in sorted(self._recipes)]

    def get(self, name: str) -> Recipe:
        """The recipe of that name. Raises `UsageError` `unknown_recipe`."""
        if name not in self._recipes:
            raise UnknownRecipe(f"recipe {name!r} is not one of {', '.join(sorted(self._recipes))}")
        return self._recipes[name]


def load_recipes(extra: Path | None = None) -> Recipes:
    """The bundled recipes, and those of the operator's folder or file, which replace others of their names.

    Raises `FatalError` `bad_recipe`.
    """
    found = [read_recipe(path) for path in recipe_files(extra)]
    return Recipes({recipe.name: recipe for recipe in found})


def recipe_files(extra: Path | None = None) -> list[Path]:
    """The files of `load_recipes`. Raises `FatalError` `bad_recipe` where the operator's are not there."""
    files = sorted(BUNDLED.glob("*.yaml"))
    if extra is None:
        return files
    if not extra.exists():
        raise BadRecipe(f"{extra} can't be read: there is no such file or folder")
    return [*files, *(sorted([*extra.glob("*.yaml"), *extra.glob("*.yml")]) if extra.is_dir() else [extra])]


def read_recipe(path: Path) -> Recipe:
    """The recipe of a file. Raises `FatalError` `bad_recipe`, which names the file, the line and the key."""
    marked = read_marked(path, BadRecipe)
    if not isinstance(marked.value, dict):
        raise BadRecipe(f"{path}:1: a recipe is a mapping")
    try:
        return Recipe(**marked.value)
    except TypeError as error:
        raise BadRecipe(f"{path}:1: its keys must be words") from error
    except ValidationError as error:
        # a misspelt key also makes a key missing: the misspelt one says more
        first = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
        where = tuple(first["loc"])
        words = _ERRORS.get(first["type"], first["msg"].removeprefix("Value error, "))
        key = ".".join(map(str, where))
        raise BadRecipe(f"{path}:{marked.line(where)}: {key + ': ' if key else ''}{words}") from error


def check_recipe(path: Path, specify: Specify) -> Recipe:
    """The recipe of a file, whose whole workflow is also right with its defaults. Raises `FatalError` `bad_recipe`."""
    recipe, marked = read_recipe(path), read_marked(path, BadRecipe)
    try:
        given = recipe.filled({})
        jobs = planned(read_steps(given), 2 if recipe.several else 1, specify)
        check_outputs(recipe.outputs, given, jobs)
    except UsageError as error:
        place = re.match(r"[\w.\[\]]+(?=: )", error.detail)
        where = tuple(int(part) if part.isdigit() else part for part in re.findall(r"\w+", place[0] if place else ""))
        raise BadRecipe(f"{path}:{marked.line(where)}: {error.detail}") from error
    return recipe


def _names(value: Any) -> set[str]:
    if isinstance(value, str):
        whole = _WHOLE.fullmatch(value)
        return {whole[1]} if whole else set(_WITHIN.findall(value))
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {name for part in parts for name in _names(part)}


def _filled(value: Any, values: Mapping[str, object]) -> Any:
    if isinstance(value, str):
        whole = _WHOLE.fullmatch(value)
        return values[whole[1]] if whole else _WITHIN.sub(lambda found: str(values[found[1]]), value)
    if isinstance(value, dict):
        return {key: _filled(part, values) for key, part in value.items()}
    return [_filled(part, values) for part in value] if isinstance(value, list) else value
