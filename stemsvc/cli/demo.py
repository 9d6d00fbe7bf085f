"""`stemsvc demo`: a song through the whole service, and what came of it."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("song", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-output"), show_default=True
)
@click.option("--url", help="URL of a running stemsvc; without it, one is started and stopped again")
@click.option("--key", help="a key of the service at --url")
@click.option("--model", help="for the bundled song `demo`, which it was made for; else the service's default model")
def demo(song: Path | None, output: Path, url: str | None, key: str | None, model: str | None) -> None:
    """Separate SONG over HTTP and show the result. Without SONG: the bundled song."""
    from stemsvc.cli.show_demo import run_demo

    run_demo(song, output, url, model, key)
