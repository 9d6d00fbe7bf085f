"""How far the steps of a workflow have come: a tree on a terminal, a line for each new stage elsewhere. On stderr."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

import click

from stemsvc.cli.terminal import printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.tree import Tree

MARKS = {"succeeded": "+", "failed": "x", "canceled": "-", "running": ">"}
ENDED = ("succeeded", "failed", "canceled", "expired")


@dataclass(frozen=True)
class Standing:
    """How a job of a workflow stands; `fraction` is from 0 to 1."""

    name: str
    state: str
    stage: str = ""
    fraction: float = 0.0

    @property
    def words(self) -> str:
        """What a line says of it."""
        if self.state != "running":
            return self.state
        return f"{self.stage or 'running'} {self.fraction:.0%}" if self.fraction else self.stage or "running"


class StepTree:
    """Shows the jobs of a workflow. A job hangs under the last of those that it needs: `needs`, by the jobs' names."""

    def __init__(self, title: str, needs: Mapping[str, Sequence[str]]) -> None:
        self._title = title
        self._needs = needs
        self._seen: dict[str, str] = {}
        self._live: Live | None = None

    def __enter__(self) -> StepTree:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, standings: Sequence[Standing], left: float | None = None) -> None:
        """Show how the jobs stand now; `left` are the seconds until the end of all of them, where they are known."""
        if self._live:
            self._live.update(self.drawn(standings, left))
            return
        for each in standings:
            words = each.stage if each.state == "running" and each.stage else each.state
            if words not in ("queued", self._seen.get(each.name)):
                self._seen[each.name] = words
                click.echo(printable(f"{each.name}: {words}"), err=True)

    def drawn(self, standings: Sequence[Standing], left: float | None = None) -> Tree:
        """The tree as it is drawn; `left` as in `show`."""
        from rich.text import Text
        from rich.tree import Tree

        title = self._title if left is None else f"{self._title}: about {timedelta(seconds=math.ceil(left))} left"
        root = Tree(Text(printable(title)))
        placed: dict[str, Tree] = {}
        for each in standings:  # each comes after those that it needs
            above = [placed[name] for name in self._needs.get(each.name, ()) if name in placed]
            text = printable(f"{MARKS.get(each.state, ' ')} {each.name}: {each.words}")
            placed[each.name] = (above[-1] if above else root).add(Text(text))
        return root
