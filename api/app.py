"""Making the Flask app."""

from __future__ import annotations

from flask import Flask
from flask_smorest import Api
from flask_swagger_ui import get_swaggerui_blueprint

from api import auth, errors, files, headers, health, jobs, limits, models, requests
from stemsvc.services import open_services
from stemsvc.settings import Settings

FIELDS_LIMIT = 1024 * 1024  # a form's fields besides the file, and the multipart framing


DESCRIPTION = (
    "Splits music into stems. Send a track with `POST /v1/jobs`, follow it with `GET /v1/jobs/{id}`, "
    "download each stem by its signed URL."
)


class _Rest(Api):
    ERROR_SCHEMA = errors.ProblemSchema


def create_app(settings: Settings) -> Flask:
    """The WSGI app over the services that `settings` name."""
    app = Flask("stemsvc")
    app.config.update(
        API_TITLE="stemsvc",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=settings.max_upload_bytes + FIELDS_LIMIT,
        MAX_FORM_MEMORY_SIZE=FIELDS_LIMIT,
        MAX_FORM_PARTS=50,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["stemsvc"] = open_services(settings)
    requests.install(app, settings.min_free_bytes)
    headers.install(app, settings)
    auth.install(app)
    limits.install(app, settings)
    rest = _Rest(
        app,
        spec_kwargs={
            "security": [{"key": []}, {}],
            "info": {"description": DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}},
        },
    )
    rest.spec.components.security_scheme("key", auth.SECURITY)
    errors.install(app)
    for blueprint in (jobs.blueprint, models.blueprint, health.blueprint):
        rest.register_blueprint(blueprint)
    app.register_blueprint(files.blueprint)
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json", config={"app_name": "stemsvc"}))
    return app
