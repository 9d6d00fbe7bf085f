"""Lets the workers' packages convert networks for this machine's CPU once their weights are here, and shows how far."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import click

from stemsvc.host.environment import process_environment
from stemsvc.models.demucs import DEMUCS
from stemsvc.models.entry import ModelEntry
from stemsvc.models.source import Weighed

CHILD = "workers.kinds.separate.ready"  # by name: only the workers have torch
NEEDED = ("torch", "demucs", "openvino")
LINE_SECONDS = 10.0  # between two lines of progress where there is no terminal
WORDS = "converting its networks for this machine's CPU"


def convert_all(entries: Sequence[Weighed]) -> None:
    """Convert the networks of these models, one model after the other, so that no job has to wait for it.

    What can't be converted is said, and is no failure: the weights are here, and a job tells more.
    """
    for entry in entries:
        if isinstance(entry, ModelEntry) and _has_networks(entry):
            click.echo(f"{entry.name}: {_converted(entry)}", err=True)


def _has_networks(entry: ModelEntry) -> bool:
    return any(part.family in DEMUCS for part in (entry.parts.values() or [entry]))


def _converted(entry: ModelEntry) -> str:
    """Convert one model's networks; returns what became of it."""
    missing = [package for package in NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        return f"not converted here, where {', '.join(missing)} is not installed: the first job does it"
    command = [sys.executable, "-m", CHILD, entry.name]
    end: dict[str, object] = {}
    words: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=process_environment(),
    ) as child:
        try:
            with _shown(entry.name) as show:
                for line in child.stdout or ():
                    said = _read(line)
                    if "done" in said:
                        show(int(str(said["done"])), int(str(said["total"])))
                    end = said or end
                    words = words if said else [line.strip()]
        finally:
            child.kill()  # nobody waits for it any more; one that has ended does not mind
    if "networks" not in end:
        return f"not converted: {' '.join(words)[:300] or f'exit status {child.returncode}'}"
    if end["error"]:
        return f"not converted: {end['error']}"
    return "converted for this machine's CPU" if end["networks"] else "has no network to convert"


def _read(line: str) -> dict[str, object]:
    """What a line says; nothing where a library has printed it."""
    with contextlib.suppress(ValueError):
        said = json.loads(line)
        if isinstance(said, dict):
            return said
    return {}


@contextlib.contextmanager
def _shown(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show steps done and all steps: a bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines(name)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(f"{name}: {WORDS}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """Prints a line at the start, and another one every ten seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = float("-inf")

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._said >= LINE_SECONDS:
            self._said = now
            click.echo(f"{self._name}: {WORDS}, {done / total:.0%}", err=True)
