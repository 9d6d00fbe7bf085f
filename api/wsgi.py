"""The WSGI entry point: `gunicorn "api.wsgi:make()"`."""

from __future__ import annotations

import gc

from flask import Flask

from api.app import create_app
from stemsvc.folders import keep_private
from stemsvc.observe.logs import configure_logs
from stemsvc.settings import Settings


def make() -> Flask:
    """Make the app from the environment's settings."""
    keep_private()
    settings = Settings()
    configure_logs(settings.log_format, settings.log_level)
    app = create_app(settings)
    gc.collect()
    gc.freeze()  # objects that live as long as the process are not scanned at every collection
    return app
