"""What commands that send songs share: where the service is, how progress is shown, what errors become."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.terminal import plain_settings, printable
from stemsvc.errors import revived

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from stemsvc_client import StemsvcError, Update


URL = click.option("--url", help="the service's URL; default: STEMSVC_CLIENT_URL, else the service that runs here")
KEY = click.option("--key", help="a key of that service, which others see in `ps`; default: STEMSVC_CLIENT_KEY")


def service(url: str | None, key: str | None) -> tuple[str, str | None]:
    """The URL and the key of the service that a command talks to: those given, else those of the settings.

    The settings' key goes to the settings' service and to the one that runs here, and to nobody else.
    """
    from stemsvc.embedded.state import running

    settings = plain_settings()
    stack = running(settings)
    here = stack.url if stack else f"http://{settings.api_host}:{settings.api_port}"
    known = settings.client_url or here
    ours = settings.client_key.get_secret_value() if url in (None, known) else ""
    return url or known, key or ours or None


@contextmanager
def translated() -> Iterator[None]:
    """Turn the client's errors into ours, code by code."""
    from stemsvc_client import StemsvcError

    try:
        yield
    except StemsvcError as error:
        raise ours(error) from error


def ours(error: StemsvcError) -> Any:
    """One of the client's errors as one of ours."""
    return revived({"kind": error.kind, "code": error.code, "detail": error.detail, "retry_after": error.retry_after})


class Bars:
    """How far several songs have come: a bar for each on a terminal, a line for each new stage elsewhere. On stderr."""

    def __init__(self) -> None:
        self._stages: dict[str, str] = {}
        self._tasks: dict[str, TaskID] = {}
        self._progress: Progress | None = None

    def __enter__(self) -> Bars:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (
                TextColumn("{task.fields[song]}", markup=False),
                TextColumn("{task.description:12}", markup=False),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
            )
            self._progress = Progress(*columns, console=Console(stderr=True))
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def show(self, update: Update) -> None:
        """Show how far a song is now."""
        song = printable(update.song)
        if self._progress:
            if song not in self._tasks:
                self._tasks[song] = self._progress.add_task(update.stage, total=1.0, song=song)
            self._progress.update(self._tasks[song], description=update.stage, completed=update.fraction)
        elif self._stages.get(song) != update.stage:
            self._stages[song] = update.stage
            job = f" (job {update.job.id})" if update.job else ""
            click.echo(f"{song}: {update.stage}{job}", err=True)
