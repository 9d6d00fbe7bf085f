"""What commands share: their settings, and how they show things: as a table, as plain text, as JSON."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # a bare GPU machine that runs only `bench engine` has neither rich nor pydantic
    from stemsvc.settings import Settings

AS_JSON = click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
GAP = "  "


def plain_settings() -> Settings:
    """The settings from the environment."""
    from stemsvc.settings import Settings

    return Settings()


def settings_of_what_runs() -> Settings:
    """The settings. If no broker is set, it is the private one of the stack that runs over this data folder."""
    from stemsvc.embedded.state import running

    settings = plain_settings()
    stack = None if "broker_url" in settings.model_fields_set else running(settings)
    return settings.model_copy(update={"broker_url": stack.broker_url}) if stack else settings


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601, for programs and for people."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, default=str))


def printable(text: str) -> str:
    """Text of others without what would steer a terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


@dataclass(frozen=True)
class Column:
    """A column of a listing; numbers stand on the right."""

    name: str
    right: bool = False


class Listing:
    """Rows of texts. A terminal gets a table if it is wide enough; everything else gets plain text, uncut."""

    def __init__(self, *columns: Column | str) -> None:
        self._columns = [Column(each) if isinstance(each, str) else each for each in columns]
        self._rows: list[list[str]] = []

    def add(self, *cells: object) -> None:
        """Add a row. None is empty; what stands on several lines is joined by commas."""
        self._rows.append([printable(", ".join(str("" if cell is None else cell).splitlines())) for cell in cells])

    def show(self, say: Callable[[str], None] = click.echo) -> None:
        """Print the rows under their columns' names."""
        widths = [max(map(len, column)) for column in zip(self._names(), *self._rows, strict=True)]
        frame = 3 * len(widths) + 1
        if sys.stdout.isatty() and sum(widths) + frame <= shutil.get_terminal_size().columns:
            self._draw()
            return
        for row in (self._names(), *self._rows):
            cells = zip(row, widths, self._columns, strict=True)
            texts = (text.rjust(width) if column.right else text.ljust(width) for text, width, column in cells)
            say(GAP.join(texts).rstrip())

    def _names(self) -> list[str]:
        return [column.name for column in self._columns]

    def _draw(self) -> None:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for column in self._columns:
            table.add_column(Text(column.name), justify="right" if column.right else "left")
        for row in self._rows:
            table.add_row(*map(Text, row))  # as text, because names of others must not be markup
        Console().print(table)
