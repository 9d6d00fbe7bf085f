"""`/llms.txt`, and the docs as Markdown."""

from __future__ import annotations

import re
from typing import Any


def test_what_there_is_to_read_is_listed_and_can_be_read(client: Any) -> None:
    answer = client.get("/llms.txt")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.text.startswith("# stemsvc\n\n> ")
    assert "karaoke" in answer.text

    links = re.findall(r"\]\(http://localhost(/[^)]*)\)", answer.text)
    assert "/docs/workflows.md" in links
    for link in links:
        assert client.get(link).status_code == 200, link
    page = client.get("/docs/workflows.md")
    assert page.content_type == "text/markdown; charset=utf-8"
    assert page.text.startswith("# Workflows and recipes")


def test_nothing_else_is_read(client: Any) -> None:
    for path in (
        "/docs/nothing.md",
        "/docs/..%2FREADME.md",
        "/docs/%2e%2e/README.md",
        "/docs/.md",
        "/docs/hooks.py.md",
    ):
        assert client.get(path).status_code == 404, path
