"""`stemsvc config`: the settings as they are, and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.terminal import AS_JSON, Listing, plain_settings, print_json
from stemsvc.errors import BadArguments
from stemsvc.host.secret_text import HIDDEN, masked

if TYPE_CHECKING:
    from stemsvc.settings import Settings


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--changed", is_flag=True, help="only settings that are not the default")
@AS_JSON
def config(names: tuple[str, ...], changed: bool, as_json: bool) -> None:
    """Show the settings that commands in this folder work with, and where each comes from.

    NAME is one as `api_port` or STEMSVC_API_PORT. Secrets are hidden, also in URLs.
    """
    found = _settings(plain_settings())
    wanted = [name.upper() if name.upper().startswith("STEMSVC_") else f"STEMSVC_{name.upper()}" for name in names]
    if unknown := [name for name in wanted if name not in found]:
        raise BadArguments(f"{unknown[0]} is not a setting; `stemsvc config` lists them")
    shown = {
        name: each
        for name, each in found.items()
        if (not wanted or name in wanted) and not (changed and each["origin"] == "default")
    }
    if as_json:
        print_json(shown)
        return
    listing = Listing("setting", "value", "from")
    for name, each in shown.items():
        listing.add(name, each["value"], each["origin"])
    listing.show()


def _settings(settings: Settings) -> dict[str, dict[str, Any]]:
    from stemsvc.host.environment import origin

    effective = {
        "database_url": settings.resolved_database_url,
        "scratch_dir": settings.resolved_scratch_dir,
        "cache_dir": settings.resolved_cache_dir,
    }
    return {
        f"STEMSVC_{name.upper()}": {
            "value": _shown(effective.get(name, getattr(settings, name))),
            "origin": str(settings.secret_file(name) or origin(name)),
        }
        for name in type(settings).model_fields
    }


def _shown(value: Any) -> Any:
    """A value without its secrets."""
    if hasattr(value, "get_secret_value"):
        return HIDDEN if value.get_secret_value() else ""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return masked(str(value))
