"""`stemsvc up` and `down`: the whole service on this machine."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from stemsvc.errors import BadSetting

FOLDER = click.option("--data-dir", type=click.Path(file_okay=False), help="folder for all data")


@click.command()
@click.option("--host", help="address the api listens on")
@click.option("--port", type=click.IntRange(0, 65535), help="port the api listens on; 0 for any free one")
@FOLDER
@click.option(
    "--broker",
    help="URL of your own Redis, instead of a private one; with a password, set STEMSVC_BROKER_URL: others see options",
)
@click.option("--detach", is_flag=True, help="return once it is up; `stemsvc down` stops it")
@click.option("--download-models", is_flag=True, help="first download the weights of all pools' models")
@click.option(
    "--flower",
    "flower_port",
    type=click.IntRange(0, 65535),
    is_flag=False,
    flag_value=5555,
    help="run Flower on this port; without a number, 5555",
)
def up(
    host: str | None,
    port: int | None,
    data_dir: str | None,
    broker: str | None,
    detach: bool,
    download_models: bool,
    flower_port: int | None,
) -> None:
    """Run everything on this machine until Ctrl-C: Redis, api, dispatcher, workers.

    First it looks whether its ports are free, its folders take files, and the storage, database and broker of the
    settings answer.
    """
    from stemsvc.embedded import background
    from stemsvc.embedded.stack import run_stack
    from stemsvc.settings import Settings

    changes: dict[str, Any] = {"api_host": host, "api_port": port, "broker_url": broker, "flower_port": flower_port}
    given = {name: value for name, value in changes.items() if value is not None}
    settings = Settings(**given, **_folder(data_dir))
    if download_models:
        from stemsvc.kinds.registry import configured_pools
        from stemsvc.models.catalog import load_catalog
        from stemsvc.models.pull import open_puller
        from stemsvc.models.weights_show import pull_for
        from stemsvc.observe.logs import configure_logs

        configure_logs(settings.log_format, settings.log_level)
        catalog = load_catalog(settings.catalog)
        pull_for(open_puller(settings), catalog, configured_pools(settings.pools, catalog))
    if detach:
        stack = background.start(settings)
        click.echo(f"stemsvc is up at {stack.url} (API description: {stack.url}/docs/)")
        click.echo(f"logs and data: {settings.data_dir}\n`stemsvc down` stops it")
        return
    run_stack(settings, private_broker="broker_url" not in settings.model_fields_set, say=_say)


@click.command()
@click.option("--data-dir", type=click.Path(file_okay=False), help="the folder given to `up`")
def down(data_dir: str | None) -> None:
    """Stop what `up` started."""
    from stemsvc.embedded import background
    from stemsvc.settings import Settings

    click.echo(f"stopped {background.stop(Settings(**_folder(data_dir))).url}")


def _folder(data_dir: str | None) -> dict[str, Any]:
    if data_dir == "":
        raise BadSetting("--data-dir: it is empty; name a folder, or leave it out")
    return {"data_dir": Path(data_dir).resolve()} if data_dir else {}


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # whoever read it has gone; the service goes on
        click.echo(text)
