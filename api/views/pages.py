"""The page: `/`, `/app/...`, `/s/...`, and the files that `make web` built. Nothing but those files can be had."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.datastructures import Accept
from werkzeug.exceptions import NotFound

import stemsvc.demo
from api.edge.page_policy import PagePolicy

DIST = Path(__file__).parent.parent / "web" / "dist"
INDEX, ASSETS = "/index.html", "/assets/"
DEMO = Path(stemsvc.demo.__file__).parent / "song" / "mixture.flac"
DEMO_SONG = "/demo.flac"  # which the page offers who has no song at hand
PACKED = ".gz"  # beside a file: the same, packed when it was built
HASHED = "public, max-age=31536000, immutable"  # the name changes with the content
ASKED = "no-cache"  # kept, and asked about each time
TYPES = {
    ".css": "text/css",
    ".flac": "audio/flac",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}

blueprint = Blueprint("pages", __name__)


@dataclass(frozen=True)
class PageFile:
    """A file of the page, and the same packed by gzip where there is one."""

    content: bytes
    packed: bytes | None
    mimetype: str
    tag: str


class PageFiles(dict[str, PageFile]):
    """The files by their paths, such as `/assets/index-1a2b.js`: read once, so that no path can lead elsewhere."""

    @classmethod
    def read(cls, folder: Path) -> PageFiles:
        """All files in the folder; none where it has no page."""
        if not (folder / "index.html").is_file():
            return cls()
        found = sorted(each for each in folder.rglob("*") if each.is_file() and each.suffix != PACKED)
        return cls((f"/{each.relative_to(folder).as_posix()}", _read(each)) for each in found)

    @property
    def open(self) -> frozenset[str]:
        """The paths that browsers look for outside of the page's own folders."""
        return frozenset(path for path in self if path != INDEX and not path.startswith(ASSETS))


def _read(path: Path) -> PageFile:
    content, packed = path.read_bytes(), path.with_name(path.name + PACKED)
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    tag = hashlib.sha256(content).hexdigest()[:32]
    return PageFile(content, packed.read_bytes() if packed.is_file() else None, kind, tag)


def install(app: Flask) -> None:
    """Serve the page, where it was built."""
    files = app.extensions["page_files"] = PageFiles.read(DIST)
    if files and DEMO.is_file():
        files[DEMO_SONG] = _read(DEMO)
    app.extensions["page_policy"] = PagePolicy(app.extensions["stemsvc"])
    for path in sorted(files.open):
        app.add_url_rule(path, f"pages.file:{path}", lambda path=path: _sent(path, ASKED), methods=["GET"])
    app.register_blueprint(blueprint)


def start() -> Response | None:
    """The page as it starts; None where this installation has none."""
    return _sent(INDEX, ASKED) if _files() else None


@blueprint.get("/app/")
@blueprint.get("/app/<path:rest>")
@blueprint.get("/s/<string:rest>")
def page(rest: str = "") -> Response:
    """The page, which finds out by itself what the path asks for."""
    return _sent(INDEX, ASKED)


@blueprint.get(f"{ASSETS}<path:name>")
def asset(name: str) -> Response:
    """A file whose name has a hash of its content."""
    return _sent(ASSETS + name, HASHED)


def _sent(path: str, caching: str) -> Response:
    """The file, packed if the client can unpack it. Raises werkzeug's `NotFound`."""
    found = _files().get(path)
    if found is None:
        raise NotFound("there is no such page")
    packed = found.packed if _unpacks() else None
    response = Response(found.content if packed is None else packed, mimetype=found.mimetype)
    if packed is not None:
        response.headers["Content-Encoding"] = "gzip"
    if found.packed is not None:
        response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = caching
    policy: PagePolicy = current_app.extensions["page_policy"]
    response.headers.update(policy.headers())
    response.set_etag(found.tag if packed is None else f"{found.tag}-gzip")
    response.make_conditional(request.environ)
    return response


def _unpacks() -> bool:
    """Whether the client takes gzip, and would not rather have the file as it is."""
    taken = request.accept_encodings
    return taken.quality("gzip") > 0 and taken.quality("gzip") >= _plain(taken)


def _plain(taken: Accept) -> float:
    return max((quality for name, quality in taken if name.lower() == "identity"), default=0.0)


def _files() -> PageFiles:
    found: PageFiles = current_app.extensions["page_files"]
    return found
