"""`stemsvc models add`: a checkpoint becomes an entry of the operator's catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import yaml

from stemsvc.errors import BadArguments
from stemsvc.host.folders import for_the_caller


@click.command()
@click.argument("source", metavar="URL|FILE")
@click.option(
    "--config",
    "config_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="the YAML file that is published beside the checkpoint, or UVR's model_data.json; demucs' need none",
)
@click.option(
    "--set", "said", multiple=True, metavar="NAME=VALUE", help="a parameter of the config, as if its file had it"
)
@click.option("--name", help="the model's name; made from the file's name if not given")
@click.option("--summary", help="a line about it")
@click.option("--licence", help="the licence of the weights")
@click.option(
    "--catalog",
    "catalog_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="the file to write into; default: STEMSVC_CATALOG",
)
def add(
    source: str,
    config_path: Path | None,
    said: tuple[str, ...],
    name: str | None,
    summary: str | None,
    licence: str | None,
    catalog_path: Path | None,
) -> None:
    """Add the checkpoint URL|FILE to the catalog, with the hash that it has now.

    Its family and stems are read from it and from the config. A process of its own reads a pickle, and refuses
    everything but numbers and demucs' networks.
    """
    from stemsvc.models.add import DOUBT, entry_of, name_of, write_entry
    from stemsvc.models.pull import open_puller
    from stemsvc.models.weights_show import progress
    from stemsvc.observe.logs import configure_logs
    from stemsvc.settings import Settings

    settings = Settings()
    configure_logs(settings.log_format, settings.log_level)
    catalog = catalog_path or settings.catalog
    if catalog is None:
        raise BadArguments("set STEMSVC_CATALOG to the file of your models, or name it with --catalog")
    name = name or name_of(source)
    config = _config(config_path, said)
    with progress() as on_pull:
        fields = entry_of(open_puller(settings), source, config, catalog, on_pull)
    described = {"summary": summary} if summary else {}
    doubt = {"licence": licence} if licence else {"licence": "unknown", "licence_doubt": DOUBT}
    with for_the_caller():
        write_entry(catalog, name, {**fields, **described, **doubt})
    rest = f" ({fields['rest']} is what is left of the mixture)" if "rest" in fields else ""
    click.echo(f"{name}: {fields['family']}, {', '.join(fields['stems'])}{rest}")
    click.echo(f"  cost {fields['cost']:g} s a second, without overlap, on the reference CPU; {fields['memory_mb']} MB")
    click.echo(f"  sha256 {fields['files'][0]['sha256']}, {fields['files'][0]['size']} bytes")
    click.echo(f"written to {catalog}")


def _config(path: Path | None, said: tuple[str, ...]) -> dict[str, Any] | None:
    """The file's parameters, and those that were given one by one. None where there are none."""
    from stemsvc.models.config import read_config

    config = read_config(path) if path else {}
    for each in said:
        name, given, value = each.partition("=")
        if not given or not name:
            raise BadArguments(f"--set {each}: write NAME=VALUE")
        try:
            config[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise BadArguments(f"--set {each}: its value can't be read") from error
    return config if path or said else None
