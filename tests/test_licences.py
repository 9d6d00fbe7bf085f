"""No package that the service imports at work is under the GPL or the AGPL, by its own metadata."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.lock import normal

ROOT = Path(__file__).parent.parent
AT_WORK = ("api", "worker", "embedded", "flower", "mcp", "chat", "musicgen")
COPYLEFT = re.compile(r"(?<![A-Z])A?GPL|(?<!LESSER )GENERAL PUBLIC|AFFERO")
# A package with a reason why it may be here all the same.
ALLOWED: dict[str, str] = {}


def needed() -> set[str]:
    """The names of all packages that the service's extras bring into this environment."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *(text for name in AT_WORK for text in project["optional-dependencies"][name])]
    waiting = [(Requirement(text), "") for text in texts]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for asked in {"", *requirement.extras}:
            key = (normal(requirement.name), asked)
            if key in seen:
                continue
            seen.add(key)
            more = metadata.requires(requirement.name) or []
            waiting += [(Requirement(text), asked) for text in more]
    return {name for name, _ in seen}


def licence_of(name: str) -> list[str]:
    """What a package's metadata says: the expression, else the classifiers, else the first line of the text."""
    about = metadata.metadata(name)
    if expressions := about.get_all("License-Expression"):
        return re.split(r"\s+OR\s+", expressions[0])
    classified = [each for each in about.get_all("Classifier") or [] if each.startswith("License ::")]
    return classified or [text.strip().partition("\n")[0] for text in about.get_all("License") or []]


def test_nothing_at_work_is_under_the_gpl() -> None:
    names = needed()
    assert {"flask", "torch", "celery", "yt-dlp", "av", "psycopg", "numpy"} <= names

    found = {name: licence_of(name) for name in sorted(names)}
    # whoever may choose takes the other one
    copyleft = {name for name, said in found.items() if said and all(COPYLEFT.search(each.upper()) for each in said)}
    assert copyleft - set(ALLOWED) == set(), {name: found[name] for name in copyleft}
    assert set(ALLOWED) <= names, "an exception for what is not here"


def test_the_pattern_tells_the_lesser_gpl_from_the_gpl() -> None:
    strict = ("GPL-3.0-or-later", "AGPL-3.0-only", "License :: OSI Approved :: GNU General Public License v3 (GPLv3)")
    lesser = ("LGPL-3.0-only", "License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", "MIT")
    assert all(COPYLEFT.search(each.upper()) for each in strict)
    assert not any(COPYLEFT.search(each.upper()) for each in lesser)
