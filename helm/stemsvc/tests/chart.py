"""Renders the chart by Helm's own library, and walks through what it renders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

CHART = Path(__file__).parent.parent
SHAPES = [None, *sorted((CHART / "ci").glob("*-values.yaml"))]
REGISTRY: dict[str, Any] = {"images": {"registry": "registry.example.org/music"}}
Document = dict[str, Any]


class Strict(yaml.CSafeLoader):
    """Refuses what Kubernetes' own reader refuses and PyYAML lets pass: a key that a mapping has twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{twice} twice{node.start_mark}"
        return super().construct_mapping(node, deep)


def values(shape: Path | None) -> Document:
    """The values of a file in ci/; None: the fewest that the chart takes."""
    read: Document = yaml.safe_load(shape.read_text()) if shape else REGISTRY
    return read


def shape_name(shape: Path | None) -> str:
    return shape.stem.removesuffix("-values") if shape else "defaults"


def render(given: Document, name: str = "demo", chart: Path = CHART) -> list[Document]:
    """What Helm would send to Kubernetes for the values `given`."""
    with helm.Chart.load(str(chart)) as loaded:
        manifests = loaded.render(given, name=name, namespace="music")
    texts = [text for path, text in sorted(manifests.items()) if path.endswith(".yaml")]
    return [document for text in texts for document in yaml.load_all(text, Strict) if document]


def merged(below: Document, above: Document) -> Document:
    """`above` over `below`, as Helm lays values over each other."""
    both = {
        name: merged(below[name], value)
        for name, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(name), dict)
    }
    return {**below, **above, **both}


def pods(documents: list[Document]) -> Iterator[tuple[Document, Document]]:
    """Each object that makes pods, and the pods' spec."""
    for document in documents:
        if template := document.get("spec", {}).get("template", {}).get("spec"):
            yield document, template


def containers(documents: list[Document]) -> Iterator[tuple[str, Document, Document]]:
    """Each container with a name for messages and its pod's spec, those before the start included."""
    for document, pod in pods(documents):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{document['metadata']['name']}/{container['name']}", pod, container


def one(documents: list[Document], kind: str, name: str) -> Document:
    (found,) = [each for each in documents if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found
