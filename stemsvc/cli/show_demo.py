"""`stemsvc demo`: separates a song over HTTP, and shows progress, stems, a table and a picture."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from stemsvc_client import Client, Made

from stemsvc.cli.submitting import Bars, translated
from stemsvc.cli.terminal import Column, Listing
from stemsvc.demo import SONG
from stemsvc.demo.measure import loudness, read_sound, si_sdr
from stemsvc.demo.picture import draw_waveforms
from stemsvc.embedded import background
from stemsvc.host.folders import for_the_caller
from stemsvc.jobs.filenames import without_ending
from stemsvc.settings import Settings

HEADINGS = ("stem", "seconds", "LUFS", "SI-SDR dB", "better by dB")


def run_demo(song: Path | None, output: Path, url: str | None, model: str | None, key: str | None = None) -> None:
    """Separate `song` (None: the bundled one) with the service at `url`, or with one that is started for it.

    Without a `model`, the bundled song gets the demo model and any other the service's default.

    Raises an error with the job's code if the job fails.
    """
    chosen = model or ("" if song else "demo")
    with for_the_caller():
        output.mkdir(parents=True, exist_ok=True)
    if url:
        with for_the_caller():
            _separate(url, song or SONG, output, chosen, key)
        return
    with _service() as started, for_the_caller():
        _separate(started, song or SONG, output, chosen)
    click.echo("the service is stopped again")


@contextmanager
def _service() -> Iterator[str]:
    """Run our own `stemsvc up` on a free port over a temporary folder; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="stemsvc-demo-") as folder:
        click.echo("starting stemsvc: private Redis, SQLite, local storage, api, dispatcher, workers ...")
        settings = Settings().model_copy(update={"data_dir": Path(folder), "api_port": 0})
        stack = background.start(settings)
        click.echo(f"it is up at {stack.url}")
        try:
            yield stack.url
        finally:
            background.stop(settings)


def _separate(url: str, song: Path, output: Path, model: str, key: str | None = None) -> None:
    click.echo(f"sending {song.name}")
    with translated(), Client(url, key=key) as client, Bars() as bars:
        made = client.run(
            song,
            model=model or None,
            format="flac",
            residual=True,
            filename_template="{stem}",
            output_dir=output,
            on_progress=bars.show,
        )
    for warning in made.job.warnings:
        click.echo(f"warning: {warning.code}: {warning.detail}")
    stems = {name: read_sound(path) for name, path in made.paths.items()}
    _print_table(song, made, stems)
    picture = draw_waveforms(without_ending(song.name), stems, output / "waveforms.png")
    for name, path in made.paths.items():
        click.echo(f"{name}: {path.resolve()}")
    click.echo(f"the mixture and every stem as waveforms: {picture.resolve()}")


def _print_table(song: Path, made: Made, stems: dict[str, Any]) -> None:
    click.echo(f"{made.job.filename} separated by {made.job.model}")
    columns = [Column(heading, right=heading != "stem") for heading in HEADINGS]
    table = Listing(*columns)
    mixture = read_sound(song)[0] if song == SONG else None
    for name, (samples, rate) in stems.items():
        lufs = loudness(samples, rate)
        truth = SONG.with_name(f"{name}.flac")
        score = gain = "-"  # the true stems are known of the bundled song only
        if mixture is not None and truth.exists():
            true = read_sound(truth)[0]
            value = si_sdr(samples, true)
            score, gain = f"{value:.1f}", f"{value - si_sdr(mixture, true):+.1f}"
        table.add(name, f"{len(samples) / rate:.2f}", "-" if lufs is None else f"{lufs:.1f}", score, gain)
    table.show()
