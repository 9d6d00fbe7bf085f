"""Headers of every answer: what browsers may do with it, and which sites may call the api."""

from __future__ import annotations

from flask import Flask, Response, request
from flask_cors import CORS

# An API's answers have nothing that a browser should run, frame or sniff. The docs page runs its own files.
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-site",
}
STRICT = "default-src 'none'; frame-ancestors 'none'"
DOCS = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)
ALLOWED = ["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "Prefer", "X-Request-Id"]
EXPOSED = ["Location", "Retry-After", "X-Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]


def install(app: Flask, sites: str) -> None:
    """Add the headers to each answer. The `sites`, separated by commas, may call with a key, but without cookies."""

    @app.after_request
    def _protect(response: Response) -> Response:
        for name, value in SECURITY.items():
            response.headers.setdefault(name, value)
        page = request.path.startswith("/docs")
        response.headers.setdefault("Content-Security-Policy", DOCS if page else STRICT)
        if not page and not request.path.startswith("/v1/files/"):
            response.headers.setdefault("Cache-Control", "no-store")  # states change, and URLs in them are secrets
        return response

    origins = [origin.strip() for origin in sites.split(",") if origin.strip()]
    if origins:
        CORS(
            app,
            origins=origins,
            expose_headers=EXPOSED,
            max_age=600,
            methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=ALLOWED,
        )
