"""`/`: a browser gets the page, a program gets links."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request

from api.services import services
from api.views import pages

DOCS = "/docs/"
LINKS = {
    "docs": DOCS,
    "description": "/openapi.json",
    "errors": "/docs/errors",
    "jobs": "/v1/jobs",
    "models": "/v1/models",
    "pools": "/v1/pools",
    "usage": "/v1/usage",
    "health": "/healthz/ready",
}

blueprint = Blueprint("root", __name__)


@blueprint.get("/")
def index() -> Response:
    """Give who prefers HTML the page, or lead it to the docs where there is no page. Others get links as JSON."""
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        answer: Any = pages.start() or redirect(DOCS, 303)
    else:
        base = (services().settings.public_url or request.host_url).rstrip("/")
        found = {name: base + path for name, path in LINKS.items()}
        answer = jsonify({"name": "stemsvc", "version": version("stemsvc"), "links": found})
    answer.vary.add("Accept")
    return answer  # type: ignore[no-any-return]
