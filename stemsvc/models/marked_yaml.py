"""YAML that remembers its lines, so that an error can name the one at fault."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stemsvc.errors import BadCatalog, FatalError


class _Constructor(yaml.constructor.SafeConstructor):
    """A safe constructor that also knows `!!python/tuple`, which the configs of MSST have, as a list."""


_Constructor.add_constructor("tag:yaml.org,2002:python/tuple", _Constructor.construct_yaml_seq)  # type: ignore[type-var]


@dataclass(frozen=True)
class Marked:
    """A YAML file's value and its nodes."""

    path: Path
    value: Any
    _root: yaml.Node | None

    def line(self, where: tuple[str | int, ...]) -> int:
        """The line of the value at these keys and indices, or of the nearest one above it that the file has."""
        node, line = self._root, 1
        for part in where:
            node, line = _step(node, part, line)
        return line


def read_marked(path: Path, error: type[FatalError] = BadCatalog) -> Marked:
    """Read a YAML file. Raises the error, which names the line of bad YAML or of a repeated key."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, yaml.SafeLoader)
        _refuse_twins(path, root, error)
        return Marked(path, value_of(root), root)
    except (OSError, UnicodeDecodeError) as why:
        raise error(f"{path} can't be read: {why}") from why
    except yaml.MarkedYAMLError as why:
        line = f":{why.problem_mark.line + 1}" if why.problem_mark else ""
        raise error(f"{path}{line}: {why.problem}") from why
    except (yaml.YAMLError, RecursionError) as why:
        raise error(f"{path}: {why}") from why


def value_of(root: yaml.Node | None) -> Any:
    """What the text of this node means, read safely; None for no node."""
    return None if root is None else _Constructor().construct_document(root)


def _step(node: yaml.Node | None, part: str | int, line: int) -> tuple[yaml.Node | None, int]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None, line


def _refuse_twins(path: Path, node: yaml.Node | None, error: type[FatalError]) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                    raise error(f"{path}:{key.start_mark.line + 1}: {key.value} stands here twice")
                seen.add(key.value)
            _refuse_twins(path, value, error)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _refuse_twins(path, each, error)
