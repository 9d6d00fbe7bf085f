"""`stemsvc models add`: a checkpoint becomes an entry of the operator's catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stemsvc.errors import BadArguments
from stemsvc.host.folders import for_the_caller

if TYPE_CHECKING:
    from stemsvc.settings import Settings


@click.command()
@click.argument("source", metavar="URL|FILE|REPOSITORY")
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
    """Add the checkpoint URL|FILE, or the generator REPOSITORY, to the catalog, with the hashes that it has now.

    A checkpoint's family and stems are read from it and from the config. A process of its own reads a pickle, and
    refuses everything but numbers and demucs' networks. REPOSITORY is a generator's, such as facebook/musicgen-small on
    the Hugging Face hub; its weights are not downloaded yet.
    """
    from stemsvc.models.add import DOUBT, entry_of, name_of, write_entry
    from stemsvc.models.pull import open_puller
    from stemsvc.models.repository import is_repository
    from stemsvc.models.weights_show import progress
    from stemsvc.observe.logs import configure_logs
    from stemsvc.settings import Settings

    settings = Settings()
    configure_logs(settings.log_format, settings.log_level)
    catalog = catalog_path or settings.catalog
    if catalog is None:
        raise BadArguments("set STEMSVC_CATALOG to the file of your models, or name it with --catalog")
    if is_repository(source):
        _add_generator(settings, catalog, source, name, {"summary": summary, "licence": licence})
        return
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
    import yaml  # no other command needs it at its start

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


def _add_generator(settings: Settings, catalog: Path, hub: str, name: str | None, said: dict[str, str | None]) -> None:
    from stemsvc.models.add import DOUBT, write_entry
    from stemsvc.models.catalog import load_catalog
    from stemsvc.models.pull import open_puller
    from stemsvc.models.repository import entry_of_repository
    from stemsvc.models.weights_show import progress

    own = settings.catalog if settings.catalog and settings.catalog.exists() else None
    known = load_catalog(own, locked=False).generators
    with progress() as on_pull:
        found, fields = entry_of_repository(open_puller(settings), hub, known, on_pull)
    fields |= {each: words for each, words in said.items() if words}
    if "licence" not in fields:
        fields |= {"licence": "unknown", "licence_doubt": DOUBT}
    name = name or found
    with for_the_caller():
        write_entry(catalog, name, fields, "generators")
    click.echo(f"{name}: {fields['family']}, {fields['licence']}, about {fields['memory_mb']} MB on an accelerator")
    for file in fields["files"]:
        click.echo(f"  {file['file']}: sha256 {file['sha256']}, {file['size']} bytes")
    click.echo(f"written to {catalog}: review it, then `stemsvc models pull {name}`")
