"""What commands share: the settings, tables. Nothing heavy is imported before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a bare GPU machine, where only `bench engine` is to run, has neither rich nor pydantic
    from rich.table import Table

    from stemsvc.settings import Settings


def plain_settings() -> Settings:
    """The environment's."""
    from stemsvc.settings import Settings

    return Settings()


def settings_of_what_runs() -> Settings:
    """The settings, with the private broker of the stack that runs over this data folder where none is set."""
    from stemsvc.embedded.stack import running

    settings = plain_settings()
    stack = None if "broker_url" in settings.model_fields_set else running(settings)
    return settings.model_copy(update={"broker_url": stack.broker_url}) if stack else settings


def make_table(*columns: str) -> Table:
    """A table with these columns."""
    from rich.table import Table

    return Table(*columns)


def show(table: Table) -> None:
    """Print it."""
    from rich.console import Console

    Console().print(table)
