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
# The pages of every site may show and play what a signed URL leads to: the URL is the right.
FILES = {**SECURITY, "Cross-Origin-Resource-Policy": "cross-origin"}
STRICT = "default-src 'none'; frame-ancestors 'none'"
DOCS = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)
ALLOWED = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Prefer",
    "Range",
    "X-Request-Id",
    "baggage",
    "traceparent",
    "tracestate",
]
EXPOSED = [
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "Preference-Applied",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Request-Id",
]
VARY = {"Vary": "Origin"}  # where sites are named: the answer to one is not that to another, also where it is an error


def install(app: Flask, sites: str) -> None:
    """Add the headers to each answer. The `sites`, separated by commas, may call with a key, but without cookies."""
    origins = named(sites)

    @app.after_request
    def _protect(response: Response) -> Response:
        files = request.path.startswith("/v1/files/")
        for name, value in (FILES if files else SECURITY).items():
            response.headers.setdefault(name, value)
        page = request.path.startswith("/docs")
        response.headers.setdefault("Content-Security-Policy", DOCS if page else STRICT)
        if not page and not files:
            response.headers.setdefault("Cache-Control", "no-store")  # states change, and URLs in them are secrets
        if origins:
            response.vary.add(VARY["Vary"])
        return response

    if origins:
        CORS(
            app,
            origins=origins,
            expose_headers=EXPOSED,
            max_age=600,
            methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=ALLOWED,
        )


def named(sites: str) -> list[str]:
    """The origins in `STEMSVC_CORS_ORIGINS`."""
    return [origin.strip() for origin in sites.split(",") if origin.strip()]
