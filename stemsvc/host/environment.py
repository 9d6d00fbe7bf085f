"""This process's environment variables. They are read here and in `stemsvc.settings`, and nowhere else.

It loads little, so that a command learns soon whether there are settings to load.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stemsvc.errors import BadSetting

PREFIX = "STEMSVC_"
_from_file: set[str] = set()


def process_environment(**changes: str) -> dict[str, str]:
    """This process's environment with `changes`, for a program that is not part of stemsvc."""
    return {**os.environ, **changes}


def live_in(folder: str) -> None:
    """Make `folder` this process's home, and the place of its temporary files."""
    os.environ.update(HOME=folder, TMPDIR=folder)
    tempfile.tempdir = None  # it would remember the place that it found first


@contextlib.contextmanager
def first_on_path(folder: Path) -> Iterator[None]:
    """Put `folder` first on PATH, for libraries that start programs by name. PATH is restored at the end."""
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


def names() -> list[str]:
    """The variables that look like settings."""
    return [name for name in os.environ if name.upper().startswith(PREFIX)]


def value(name: str) -> str:
    """What the variable of that name has, in upper or lower case as settings are found; empty if it is not set."""
    return os.environ.get(name) or next((text for each, text in os.environ.items() if each.upper() == name), "")


def read_env_file(path: Path) -> None:
    """Take the settings of an `.env` file into this process's environment; what the environment has already, wins.

    A secret of the environment wins over its file in the `.env`, and the file over the secret.

    Raises `FatalError` `bad_setting` for a file that can't be read.
    """
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path.resolve()} can't be read: {error}") from error
    before = set(os.environ)
    for name, text in values.items():
        if name.startswith(PREFIX) and text is not None and not {name, _other_way(name)} & before:
            os.environ[name] = text
            _from_file.add(name)


def _other_way(name: str) -> str:
    """The variable that gives the same secret: by a file in place of its text, or by its text in place of a file."""
    return name.removesuffix("_FILE") if name.endswith("_FILE") else f"{name}_FILE"


def origin(name: str) -> str:
    """Where the setting of that name comes from: `environment`, `.env` or `default`."""
    known = {each.upper(): each for each in os.environ}
    variable = known.get(f"{PREFIX}{name.upper()}")
    if variable is None:
        return "default"
    return ".env" if variable in _from_file else "environment"
