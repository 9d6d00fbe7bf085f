"""The api's part of the command line: `stemsvc api`."""

from __future__ import annotations

import os
import sys

import click

from stemsvc.jobstore.engine import migrate
from stemsvc.settings import Settings


@click.command()
@click.option("--host", help="address to listen on")
@click.option("--port", type=int, help="port to listen on")
def api(host: str | None, port: int | None) -> None:
    """Serve the HTTP API with gunicorn, after bringing the job store's schema up to date."""
    settings = Settings()
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    migrate(settings.resolved_database_url)
    bind = f"{host or settings.api_host}:{port if port is not None else settings.api_port}"
    # Threads, since much of a request's work is waiting for disk and network; processes, since the rest is Python.
    arguments = [
        sys.executable, "-m", "gunicorn", "--config", "python:api.server", "--bind", bind,
        "--workers", str(settings.api_processes), "--threads", str(settings.api_threads),
        "--worker-class", "gthread", "--timeout", "120", "--graceful-timeout", "20", "--no-control-socket",
        "api.wsgi:make()",
    ]  # fmt: skip
    os.execv(sys.executable, arguments)
