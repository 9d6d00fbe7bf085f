"""What gunicorn runs: `gunicorn "api.wsgi:make()"`."""

from __future__ import annotations

import gc

from flask import Flask

from api.app import create_app
from stemsvc.observe.logs import configure_logs
from stemsvc.settings import Settings


def make() -> Flask:
    """The app over the environment's settings."""
    settings = Settings()
    configure_logs(settings)
    app = create_app(settings)
    gc.collect()
    gc.freeze()  # what lives as long as the process is not looked through again at every collection
    return app
