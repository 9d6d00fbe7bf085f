"""Flower shows an operator the tasks and workers of our broker."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

import click

from stemsvc.errors import BadSetting, NoFlower
from stemsvc.host.environment import PREFIX

if TYPE_CHECKING:
    from stemsvc.settings import Settings


NEEDED = "broker_url"  # Flower gets no other secret, and no file of one
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def flower_command(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Flower's command and environment; no secret is on the command line.

    Raises `FatalError` `no_flower`, or `bad_setting` for a password that is missing or that Flower can't take.
    """
    from stemsvc.host.secret_files import FOLDER, variable_of
    from stemsvc.settings import SECRETS

    if importlib.util.find_spec("flower") is None:
        raise NoFlower("Flower is not installed: pip install 'stemsvc[flower]'")
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "stemsvc.queue.flower_app",
        "flower",
        f"--address={settings.api_host}",
        f"--port={settings.flower_port}",
    ]
    environment = settings.environment()
    environment.pop(FOLDER, None)
    for name in SECRETS.keys() - {NEEDED}:
        environment.pop(f"{PREFIX}{name.upper()}", None)
        environment.pop(variable_of(name), None)
    if file := settings.secret_file(NEEDED):
        environment[variable_of(NEEDED)] = str(file)
    password = settings.flower_password.get_secret_value()
    if password:
        environment["FLOWER_BASIC_AUTH"] = _checked(f"{settings.flower_user}:{password}")
    elif settings.api_host not in LOOPBACK:
        raise BadSetting("beyond the loopback, Flower needs STEMSVC_FLOWER_PASSWORD")
    return command, environment


def _checked(credentials: str) -> str:
    """Flower takes what follows a comma for another user's credentials, and answers 500 to what is not ASCII."""
    if "," in credentials or not (credentials.isascii() and credentials.isprintable()):
        raise BadSetting("STEMSVC_FLOWER_USER and STEMSVC_FLOWER_PASSWORD take ASCII characters without commas")
    return credentials


@click.command()
@click.option("--host", help="address to listen on")
@click.option("--port", type=int, default=5555, show_default=True)
def flower(host: str | None, port: int) -> None:
    """Show tasks and workers in a browser. STEMSVC_FLOWER_PASSWORD protects the page."""
    from stemsvc.settings import Settings

    changes = {"flower_port": port, **({"api_host": host} if host else {})}
    settings = Settings().model_copy(update=changes)
    command, environment = flower_command(settings)
    os.execve(command[0], command, environment)
