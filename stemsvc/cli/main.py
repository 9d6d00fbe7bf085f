"""The command line: which commands there are, and what happens around each of them.

`api` and `workers` add their own commands through the entry points `stemsvc.commands`. A command's module is loaded
when the command is called, so that none waits for what another one needs.
"""

from __future__ import annotations

import contextlib
import io
import pkgutil
import sys
from pathlib import Path
from typing import NoReturn

import click

from stemsvc.cli.os_errors import translated
from stemsvc.errors import BadCatalog, BadPools, BadSetting, PlatformUnsupported, StemsvcError
from stemsvc.host.environment import names, read_env_file
from stemsvc.host.folders import private

OURS = {
    "audit": "stemsvc.cli.audit:audit",
    "backup": "stemsvc.cli.backups:backup",
    "chat": "stemsvc.cli.chat:chat",
    "check": "stemsvc.cli.check:check",
    "config": "stemsvc.cli.config:config",
    "demo": "stemsvc.cli.demo:demo",
    "dispatcher": "stemsvc.cli.dispatcher:dispatcher",
    "doctor": "stemsvc.cli.doctor:doctor",
    "down": "stemsvc.cli.stack:down",
    "flower": "stemsvc.embedded.flower:flower",
    "jobs": "stemsvc.cli.jobs:jobs",
    "keys": "stemsvc.cli.keys:keys",
    "logs": "stemsvc.cli.logs:logs",
    "mcp": "stemsvc.cli.mcp:mcp",
    "migrate": "stemsvc.cli.migrate:migrate",
    "models": "stemsvc.cli.models:models",
    "plan": "stemsvc.cli.plan:plan",
    "pools": "stemsvc.cli.pools:pools",
    "recipes": "stemsvc.cli.recipes:recipes",
    "recover": "stemsvc.cli.recover:recover",
    "report": "stemsvc.cli.reports:report",
    "restore": "stemsvc.cli.backups:restore",
    "run": "stemsvc.cli.run:run",
    "secrets": "stemsvc.cli.secrets:secrets",
    "status": "stemsvc.cli.status:status",
    "storage": "stemsvc.cli.storage:storage",
    "submit": "stemsvc.cli.submit:submit",
    "up": "stemsvc.cli.stack:up",
    "webhooks": "stemsvc.cli.webhooks:webhooks",
    "workers": "stemsvc.cli.workers:workers",
}
# Programs that `up` or a service manager starts get their settings from it alone.
PROGRAMS = ("api", "worker", "fetcher", "dispatcher")
# What runs where a service is only called, on Windows too; a local `run` and what else needs POSIX's modules says so.
SERVICE = (*PROGRAMS, "demo", "down", "flower", "up")
POSIX = ("fcntl", "grp", "pwd", "resource", "termios")
BARE = "bench"  # runs where only torch, numpy and demucs are
BAD_SETTINGS = (BadSetting, BadPools, BadCatalog)


class _Commands(click.Group):
    """Our commands and those of the installed parts. An error prints its code and detail on one line.

    This is where every process of ours starts: no other user can read what it makes (`stemsvc.host.folders`). A command
    that writes where its user says, does so `for_the_caller`.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        from importlib.metadata import entry_points

        return sorted({*OURS, *(point.name for point in entry_points(group="stemsvc.commands"))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in OURS:
            ours: click.Command = pkgutil.resolve_name(OURS[cmd_name])
            return ours
        from importlib.metadata import entry_points

        for point in entry_points(group="stemsvc.commands", name=cmd_name):
            found: click.Command = point.load()
            return found
        return None

    def invoke(self, ctx: click.Context) -> object:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a name that a terminal can't show must not end a command
                stream.reconfigure(errors="backslashreplace")
        try:
            with private():
                return super().invoke(ctx)
        except StemsvcError as error:
            _end(error)
        except ModuleNotFoundError as error:
            if error.name not in POSIX:
                raise
            _end(_unsupported(ctx.invoked_subcommand or "this command"))
        except OSError as error:
            told = translated(error)
            if told is None:
                raise
            _end(told)


def _end(error: StemsvcError) -> NoReturn:
    click.echo(f"stemsvc: {error.code}: {error.detail}", err=True)
    sys.exit(2 if isinstance(error, BAD_SETTINGS) else 1)


def _unsupported(command: str) -> PlatformUnsupported:
    return PlatformUnsupported(f"{command} needs Linux or macOS; submit, run --remote and chat do not")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stemsvc")
@click.pass_context
def main(context: click.Context) -> None:
    """Split music into stems, as a service.

    Settings are STEMSVC_* environment variables; a file `.env` in this folder may have more.
    """
    if context.invoked_subcommand == BARE:
        return
    if sys.platform == "win32" and context.invoked_subcommand in SERVICE:
        raise _unsupported(context.invoked_subcommand)
    file = Path(".env")
    reads_file = context.invoked_subcommand not in PROGRAMS and file.is_file()
    if reads_file:
        read_env_file(file)
    if not names():
        return
    from stemsvc.settings import unknown_settings

    for name, nearest in unknown_settings():
        hint = f"; did you mean {nearest}?" if nearest else "; `stemsvc config` lists the settings"
        with contextlib.suppress(OSError):
            click.echo(f"stemsvc: warning: {name} is not a setting{hint}", err=True)
