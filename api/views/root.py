"""`/`: a browser is sent to the page, a program gets links."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, redirect, request

from api.services import services

APP, DOCS = "/app/", "/docs/"
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
    """Send who prefers HTML to the page, or to the docs where the api serves no page. Others get links as JSON."""
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        answer: Any = redirect(APP if _serves(APP) else DOCS, 303)
    else:
        base = (services().settings.public_url or request.host_url).rstrip("/")
        found = {name: base + path for name, path in LINKS.items()}
        answer = jsonify({"name": "stemsvc", "version": version("stemsvc"), "links": found})
    answer.vary.add("Accept")
    return answer  # type: ignore[no-any-return]


def _serves(path: str) -> bool:
    return current_app.url_map.bind("").test(path, "GET")
