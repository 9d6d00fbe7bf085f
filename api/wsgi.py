"""The WSGI entry point: `gunicorn "api.wsgi:make()"`."""

from __future__ import annotations

import gc

from flask import Flask

from api.app import create_app
from stemsvc.accounts.bootstrap import install
from stemsvc.control.facts import Report, Reporter, process_name
from stemsvc.control.secret_changes import SecretChanges
from stemsvc.host.folders import keep_private
from stemsvc.observe.logs import configure_logs
from stemsvc.settings import Settings


def make() -> Flask:
    """Make the app from the environment's settings."""
    keep_private()
    settings = Settings()
    configure_logs(settings.log_format, settings.log_level)
    app = create_app(settings)
    store = app.extensions["stemsvc"].store
    keys = store.keys
    Reporter(Report(store, process_name(), "api", settings)).start()
    SecretChanges(settings, lambda fresh: install(fresh, keys.install)).start()
    gc.collect()
    gc.freeze()  # objects that live as long as the process are not scanned at every collection
    return app
