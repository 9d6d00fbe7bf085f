"""The command `stemsvc api`: gunicorn with the Flask app. What it needs is imported when it is called."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from typing import TYPE_CHECKING

import click

from stemsvc.observe.loggers import get_logger

if TYPE_CHECKING:
    from stemsvc.settings import Settings

SLOW = 100  # threads of each api process for bodies that arrive slowly, beside those that work and those that wait
PORT_SECONDS = 5.0  # for so long the processes of an api that was killed may keep its port
FILES = 1000  # that an api process may open beside its connections
OPEN_MAX = 10240  # files that a process of macOS may open, whatever its limit says
# For glibc. A thousand threads with an arena each would all leave memory in theirs. Large blocks go back to the system
# when they are freed: by default glibc soon keeps blocks of many megabytes, so that each burst of uploads left some.
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "4194304"}


@click.command()
@click.option("--host", help="address to listen on")
@click.option("--port", type=int, help="port to listen on")
def api(host: str | None, port: int | None) -> None:
    """Serve the HTTP API with gunicorn. It first brings the job store's tables up to date."""
    from api.server import addresses
    from stemsvc.embedded.preflight import check_ports
    from stemsvc.host.folders import private_folder, tighten
    from stemsvc.jobstore.engine import migrate
    from stemsvc.observe.metrics import folder_for_children
    from stemsvc.settings import Settings

    changes = {"api_host": host, "api_port": port}
    settings = Settings().model_copy(update={name: value for name, value in changes.items() if value is not None})
    ports = [
        (settings.api_host, settings.api_port, "--port or STEMSVC_API_PORT"),
        (settings.metrics_host, settings.metrics_port, "STEMSVC_METRICS_PORT"),
    ]
    check_ports(ports, patience=PORT_SECONDS)
    if not settings.database_url:
        private_folder(settings.data_dir)
    tighten(settings.data_dir)
    addresses(settings)  # before any process is started for nothing
    migrate(settings.resolved_database_url)
    _set_up_keys(settings)
    bind = f"{settings.api_host}:{settings.api_port}"
    threads = settings.api_threads + settings.api_streams + SLOW
    connections = 2 * threads
    _allow_open_files(connections + threads + FILES)
    # Threads, because a request mostly waits for disk and network. Processes, because the rest of it is Python.
    arguments = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "python:api.server",
        "--bind",
        bind,
        "--workers",
        str(settings.api_processes),
        "--threads",
        str(threads),
        "--worker-connections",
        str(connections),
        "--worker-class",
        "api.edge.connections.Worker",
        "--timeout",
        "120",
        "--graceful-timeout",
        "20",
        "--no-control-socket",
        "--forwarded-allow-ips",  # STEMSVC_TRUSTED_PROXIES says who is believed
        "",
        "api.wsgi:make()",
    ]
    # gunicorn gets the final settings, because `api_host` decides whether requests need a key
    environment = {**MEMORY, **settings.environment(), **folder_for_children(settings.data_dir)}
    os.execve(sys.executable, arguments, environment)


def _allow_open_files(number: int) -> None:
    """Raise the limit of open files, which is 1024 by default, as far as it may be raised: a connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    for each in (wanted, OPEN_MAX):
        if soft == resource.RLIM_INFINITY or soft >= each:
            return
        with contextlib.suppress(ValueError):  # macOS has a lower limit than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (each, hard))
            return


def _set_up_keys(settings: Settings) -> None:

    from stemsvc.accounts.bootstrap import install
    from stemsvc.jobstore import JobStore
    from stemsvc.observe.logs import configure_logs

    configure_logs(settings.log_format, settings.log_level)
    store = JobStore(settings.resolved_database_url)
    install(settings, store.keys.install)
    if not store.keys.any():
        get_logger().warning(
            "no keys: anyone who reaches the loopback can use the service; `stemsvc keys create` makes one"
        )
    store.close()
