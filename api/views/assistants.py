"""`/llms.txt` and the docs as Markdown: for assistants that only read (https://llmstxt.org)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

import api
from api.services import services
from stemsvc.kinds import registry

# Beside the package in a checkout; an installed package has none, and lists no pages then.
FOLDER = Path(api.__file__).parents[1] / "docs"
MARKDOWN = "text/markdown; charset=utf-8"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_HEADING = re.compile(r"^# (.+)$", re.MULTILINE)
_MARKUP = re.compile(r"[`*\[\]]")
HEAD = """# stemsvc

> A self-hosted service that works on music: it separates songs into stems, analyses, mixes, masters, transcribes and
> exports them. Jobs and workflows are sent over HTTP, followed by events, and their files come as signed links.

A job is one piece of work of one kind; a workflow is a graph of jobs; a recipe is a named workflow with parameters.
`stemsvc mcp` serves all of it by the Model Context Protocol.
"""

blueprint = Blueprint("assistants", __name__)


@blueprint.get("/llms.txt")
def index() -> Response:
    """What there is to read, with links."""
    base = (services().settings.public_url or request.host_url).rstrip("/")
    lines = [HEAD, "## API\n"]
    lines += [
        f"- [OpenAPI description]({base}/openapi.json): every call, as OpenAPI 3.1",
        f"- [Errors by code]({base}/docs/errors): what each code means and what to do",
        f"- [Recipes]({base}/v1/recipes): {', '.join(each.name for each in services().recipes.all)}",
        f"- [Models]({base}/v1/models): {', '.join(each.name for each in services().catalog.entries)}",
        f"- [Limits]({base}/v1/limits): of the service and of your key; kinds: {', '.join(registry.installed())}",
    ]
    if found := pages():
        lines += ["\n## Docs\n", *(f"- [{title}]({base}/docs/{name}.md)" for name, title in found.items())]
    return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


@blueprint.get("/docs/<string:name>.md")
def page(name: str) -> Response:
    """A page of the docs as it was written."""
    if not _NAME.fullmatch(name) or name not in pages():
        raise NotFound("there is no such page; /llms.txt lists them")
    return Response((FOLDER / f"{name}.md").read_text(encoding="utf-8"), content_type=MARKDOWN)


@cache
def pages() -> dict[str, str]:
    """The titles of the pages, by name; those of the docs' first page come first."""
    files = sorted(FOLDER.glob("*.md"), key=lambda path: (path.stem != "index", path.stem))
    return {path.stem: _title(path) for path in files if _NAME.fullmatch(path.stem)}


def _title(path: Path) -> str:
    found = _HEADING.search(path.read_text(encoding="utf-8"))
    return _MARKUP.sub("", found[1]) if found else path.stem
