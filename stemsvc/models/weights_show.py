"""Pulls weights and shows the progress: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from stemsvc.errors import StemsvcError
from stemsvc.models.pull import OnPull, Puller
from stemsvc.models.ready import convert_all
from stemsvc.models.source import Weighed, WeightFile

if TYPE_CHECKING:
    from stemsvc.jobs.pools import Pool
    from stemsvc.models.catalog import Catalog

LINE_SECONDS = 10.0  # between two lines of progress where there is no terminal


def pull_all(puller: Puller, entries: Sequence[Weighed]) -> list[StemsvcError]:
    """Pull one model after the other; the others go on where one fails. Returns the failures."""
    failed = []
    for entry in entries:
        try:
            with progress() as on_pull:
                paths = puller.ensure(entry, on_pull)
        except StemsvcError as error:
            failed.append(error)
            click.echo(f"stemsvc: {error.code}: {error.detail}", err=True)
        else:
            click.echo(f"{entry.name}: {len(paths)} file{'s' * (len(paths) != 1)} here and whole")
    return failed


def pull_for(puller: Puller, catalog: Catalog, pools: Sequence[Pool]) -> None:
    """Pull the models of these pools, and convert those that run on a CPU.

    Raises the first failure, once all were tried.
    """
    entries = [catalog.get(name) for name in dict.fromkeys(model for pool in pools for model in pool.models)]
    failed = pull_all(puller, entries)
    if failed:
        raise failed[0]
    on_cpu = dict.fromkeys(model for pool in pools if pool.kind == "cpu" for model in pool.models)
    convert_all([catalog.get(name) for name in on_cpu])


@contextlib.contextmanager
def progress() -> Iterator[OnPull]:
    """Show what is pulled: bars on a terminal, lines elsewhere."""
    if sys.stderr.isatty():
        with _bars() as on_pull:
            yield on_pull
    else:
        yield _Lines()


@contextlib.contextmanager
def _bars() -> Iterator[OnPull]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def show(file: WeightFile, done: int, total: int | None) -> None:
            if file.label not in tasks:  # bytes that were here before count, but not for the speed
                tasks[file.label] = bars.add_task(file.filename, total=total, completed=done)
            bars.update(tasks[file.label], completed=done, total=total)

        yield show


class _Lines:
    """Prints a line at the start of a file, every ten seconds, and at its end, with speed and time left."""

    def __init__(self) -> None:
        self._file = ""
        self._begun = self._said = 0.0
        self._first = 0

    def __call__(self, file: WeightFile, done: int, total: int | None) -> None:
        now = time.monotonic()
        if file.label != self._file:
            self._file, self._begun, self._first = file.label, now, done
        elif now - self._said < LINE_SECONDS and done != total:
            return
        self._said = now
        speed = (done - self._first) / max(now - self._begun, 1e-6)
        parts = [f"{done / 1e6:.1f} MB" if total is None else f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"]
        if now > self._begun and speed > 0:
            parts.append(f"{speed / 1e6:.1f} MB/s")
            if total is not None and done < total:
                parts.append(f"{(total - done) / speed:.0f} s left")
        click.echo(f"{file.filename}: {', '.join(parts)}", err=True)
