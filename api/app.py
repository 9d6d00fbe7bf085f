"""The Flask app: its settings, what surrounds the views, and the views."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.metadata import version
from tempfile import SpooledTemporaryFile
from typing import IO, ParamSpec, TypeVar, cast

from flask import Flask, Request, Response, current_app, jsonify, request
from flask_smorest import Api
from flask_swagger_ui import get_swaggerui_blueprint

from api import openapi
from api.edge import auth, concurrency, headers, message_rates, problems, rate_limits, request_id, sign_ins, telemetry
from api.edge.bodies import FIELDS_LIMIT
from api.edge.multipart import FormParser
from api.edge.proxies import BehindProxies, TrustedProxies
from api.schemas import answers
from api.views import (
    archives,
    assistants,
    audit,
    batch,
    conversation_events,
    conversations,
    errors,
    events,
    failures,
    feed,
    files,
    health,
    jobs,
    keys,
    kinds,
    limits,
    models,
    pages,
    pools,
    root,
    session,
    shares,
    uploads,
    usage,
    webhooks,
    workers,
    workflow_events,
    workflow_plans,
    workflows,
)
from stemsvc.assistants.chat.providers.provider import configured
from stemsvc.assistants.chat.providers.tools import tools_of
from stemsvc.assistants.schemas import kind_tools
from stemsvc.control.services import open_services
from stemsvc.observe.collector import observe
from stemsvc.settings import Settings

RESOURCES = (
    jobs,
    batch,
    events,
    feed,
    shares,
    uploads,
    webhooks,
    usage,
    failures,
    models,
    limits,
    pools,
    workers,
    workflows,
    workflow_events,
    workflow_plans,
    conversations,
    conversation_events,
    session,
    keys,
    audit,
    health,
)
P = ParamSpec("P")
R = TypeVar("R")
SPOOL_BYTES = 64 * 1024  # of an upload that stay in memory while it arrives; the rest goes to disk
DESCRIPTION = (
    "Splits music into stems. Send a track with `POST /v1/separations`, follow it with `GET /v1/jobs/{id}`, "
    "download each stem by its signed URL."
)


class _Request(Request):
    """A request that writes its files to disk early, so that a hundred uploads at once do not fill the memory."""

    form_data_parser_class = FormParser

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return cast(IO[bytes], SpooledTemporaryFile(max_size=SPOOL_BYTES))


class _App(Flask):
    """Flask without a look at each function whether it is a coroutine: no view and no hook of ours is one.

    A view has a decorator for each answer that its description names, and each of them would look.
    """

    def ensure_sync(self, func: Callable[P, R]) -> Callable[P, R]:
        """The function itself."""
        return func


class _Rest(Api):
    ERROR_SCHEMA = answers.ProblemSchema

    def _openapi_json(self) -> Response:
        public_url = current_app.extensions["stemsvc"].settings.public_url
        return jsonify(openapi.complete(self.spec.to_dict(), public_url or request.host_url))


def create_app(settings: Settings) -> Flask:
    """Make the WSGI app, and open the services that `settings` name."""
    configured(settings)  # who answers messages: what they lack is said at once
    app = _App("stemsvc")
    app.request_class = _Request
    app.config.update(
        API_TITLE="stemsvc",
        API_VERSION=version("stemsvc"),
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        MAX_CONTENT_LENGTH=settings.max_upload_bytes + FIELDS_LIMIT,
        MAX_FORM_MEMORY_SIZE=FIELDS_LIMIT,
        MAX_FORM_PARTS=300,  # a mix may have 100 tracks, each a part of its own
    )
    app.url_map.converters["pool"] = pools.PoolName
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["stemsvc"] = open_services(settings)
    app.wsgi_app = BehindProxies(app.wsgi_app, TrustedProxies(settings.trusted_proxies))  # type: ignore[method-assign]
    observe("api", settings)
    telemetry.install(app)
    request_id.install(app, settings.min_free_bytes)
    headers.install(app, settings.cors_origins)
    auth.install(app)
    rate_limits.install(app, settings.rate_limit, settings.broker_url)
    message_rates.install(app, settings.messages_rate_limit, settings.broker_url)
    sign_ins.install(app, settings.broker_url, settings.proxy_networks)
    concurrency.install(app, settings.api_threads, settings.api_streams)
    health.install(app)
    rest = _Rest(
        app,
        spec_kwargs={
            "security": [{"key": []}, {}],
            "info": {"description": DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}},
        },
    )
    rest.spec.components.security_scheme("key", auth.SECURITY)
    problems.install(app)
    for each in RESOURCES:
        rest.register_blueprint(each.blueprint)
    for blueprint in kinds.blueprints():
        rest.register_blueprint(blueprint)
    for page in (files, archives, root, errors, assistants):
        app.register_blueprint(page.blueprint)
    pages.install(app)
    # what language models may call: the kinds' own forms
    app.extensions["chat_tools"] = functools.cache(
        lambda: tools_of(kind_tools(openapi.complete(rest.spec.to_dict(), "")))
    )
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json", config={"app_name": "stemsvc"}))
    return app
