"""Writes the chart's README.md from its values: `python helm/stemsvc/tests/readme.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent.parent
HEAD = """# stemsvc, the chart

{description}. [Run it on a cluster](../../docs/cluster.md) says what a cluster needs, how to install it, and how to
send the first song; [the runbook](../../deploy/README.md) how to build the images, upgrade and roll back.

```console
$ helm install stemsvc helm/stemsvc -n music -f values.yaml
$ helm test stemsvc -n music
```

`helm test` asks the api by its Service, and runs `stemsvc doctor --quick` in a pod with the service's settings: it
looks at the store, the broker, the bucket, the pools and the fetchers.

## Values

| value | default | what it is |
| --- | --- | --- |
"""
Path_ = tuple[str, ...]
LONGEST = 60  # characters of a default that the table shows
WHOLE = {("monitoring", "dashboard", "labels")}  # maps that are one value


def leaves(tree: dict[str, Any], path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value, by its path."""
    for name, value in tree.items():
        if isinstance(value, dict) and value and (*path, name) not in WHOLE and name != "resources":
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def lines_of(node: yaml.MappingNode, path: Path_ = ()) -> Iterator[tuple[Path_, int]]:
    """The line of each key, by its path."""
    for key, value in node.value:
        yield (*path, key.value), key.start_mark.line
        if isinstance(value, yaml.MappingNode):
            yield from lines_of(value, (*path, key.value))


def described(text: str) -> dict[Path_, str]:
    """What the comment above each value says, on one line; empty where there is none."""
    root, lines = yaml.compose(text), text.splitlines()
    assert isinstance(root, yaml.MappingNode)
    found = {}
    for path, number in lines_of(root):
        said: list[str] = []
        while number > 0 and lines[number - 1].lstrip().startswith("#"):
            number -= 1
            said.insert(0, lines[number].strip().lstrip("#").strip())
            if said[0].startswith("-- "):
                break
        found[path] = " ".join(said).removeprefix("-- ") if said and said[0].startswith("-- ") else ""
    return found


def readme() -> str:
    """The whole file."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    chart, said = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8")), described(text)
    rows = [f"| `{'.'.join(path)}` | {_default(value)} | {_cell(said[path])} |" for path, value in _known(text)]
    return HEAD.format(description=chart["description"]) + "\n".join(rows) + "\n"


def _known(text: str) -> list[tuple[Path_, Any]]:
    return list(leaves(yaml.safe_load(text)))


def _default(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST and "|" not in text else "see `values.yaml`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme(), encoding="utf-8")
