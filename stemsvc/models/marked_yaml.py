"""YAML that remembers its lines, so that an error can name the one at fault."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stemsvc.errors import BadCatalog


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


def read_marked(path: Path) -> Marked:
    """Read a YAML file. Raises `FatalError` `bad_catalog`, which names the line of bad YAML or of a repeated key."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, yaml.SafeLoader)
        _refuse_twins(path, root)
        return Marked(path, yaml.safe_load(text), root)
    except (OSError, UnicodeDecodeError) as error:
        raise BadCatalog(f"{path} can't be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadCatalog(f"{path}{line}: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadCatalog(f"{path}: {error}") from error


def _step(node: yaml.Node | None, part: str | int, line: int) -> tuple[yaml.Node | None, int]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None, line


def _refuse_twins(path: Path, node: yaml.Node | None) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                    raise BadCatalog(f"{path}:{key.start_mark.line + 1}: {key.value} stands here twice")
                seen.add(key.value)
            _refuse_twins(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _refuse_twins(path, each)
