"""What commands share: settings and tables. A heavy package is imported only when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a bare GPU machine that runs only `bench engine` has neither rich nor pydantic
    from rich.table import Table

    from stemsvc.settings import Settings


def plain_settings() -> Settings:
    """The settings from the environment."""
    from stemsvc.settings import Settings

    return Settings()


def settings_of_what_runs() -> Settings:
    """The settings. If no broker is set, it is the private one of the stack that runs over this data folder."""
    from stemsvc.embedded.stack import running

    settings = plain_settings()
    stack = None if "broker_url" in settings.model_fields_set else running(settings)
    return settings.model_copy(update={"broker_url": stack.broker_url}) if stack else settings


def make_table(*columns: str) -> Table:
    """A table with these columns."""
    from rich.table import Table

    return Table(*columns)


def show(table: Table) -> None:
    """Print the table."""
    from rich.console import Console

    Console().print(table)
