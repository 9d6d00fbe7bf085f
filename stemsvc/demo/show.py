"""`stemsvc demo`: separates a song over HTTP, and shows progress, stems, a table and a picture."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from stemsvc.client import Client
from stemsvc.demo.measure import loudness, read_sound, si_sdr
from stemsvc.demo.picture import draw_waveforms
from stemsvc.embedded import background
from stemsvc.errors import revived
from stemsvc.folders import for_the_caller
from stemsvc.jobs.filenames import without_ending
from stemsvc.settings import Settings

HERE = Path(__file__).parent
SONG = HERE / "song" / "mixture.flac"
console = Console()


def run_demo(song: Path | None, output: Path, url: str | None, model: str, key: str | None = None) -> None:
    """Separate `song` (None: the bundled one) with the service at `url`, or with one that is started for it.

    Raises an error with the job's code if the job fails.
    """
    with for_the_caller():
        output.mkdir(parents=True, exist_ok=True)
    if url:
        with for_the_caller():
            _separate(url, song or SONG, output, model, key)
        return
    with _service() as started, for_the_caller():
        _separate(started, song or SONG, output, model)
    console.print("the service is stopped again")


@contextmanager
def _service() -> Iterator[str]:
    """Run our own `stemsvc up` on a free port over a temporary folder; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="stemsvc-demo-") as folder:
        console.print("starting stemsvc: private Redis, SQLite, local storage, api, dispatcher, CPU worker ...")
        settings = Settings().model_copy(update={"data_dir": Path(folder), "api_port": 0})
        stack = background.start(settings)
        console.print(f"it is up at {stack.url}")
        try:
            yield stack.url
        finally:
            background.stop(settings)


def _separate(url: str, song: Path, output: Path, model: str, key: str | None = None) -> None:
    with Client(url, key=key) as client:
        job = client.submit(song, model=model, format="flac", residual="true")
        console.print(f"sent {song.name} as job {job['id']}")
        job = _follow(client, job["id"])
        if job["state"] != "succeeded":
            raise revived(job["error"] or {"code": job["state"], "detail": "the job was ended by someone else"})
        files = {name: client.download(stem["url"], output / f"{name}.flac") for name, stem in job["stems"].items()}
    stems = {name: read_sound(path) for name, path in files.items()}
    _print_table(song, job, stems)
    picture = draw_waveforms(without_ending(song.name), stems, output / "waveforms.png")
    console.print(f"stems and picture: {output.resolve()} ({picture.name} shows the mixture and every stem)")


def _follow(client: Client, job_id: str) -> dict[str, Any]:
    columns = (
        TextColumn("{task.description:12}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("queued", total=1.0)

        def show(job: dict[str, Any]) -> None:
            bar.update(task, description=job["progress"]["stage"], completed=job["progress"]["fraction"])

        return client.wait(job_id, timeout=24 * 3600, on_change=show)


def _print_table(song: Path, job: dict[str, Any], stems: dict[str, Any]) -> None:
    table = Table(title=f"{job['filename']} separated by {job['model']}")
    for heading in ("stem", "seconds", "LUFS", "SI-SDR dB", "better by dB"):
        table.add_column(heading, justify="left" if heading == "stem" else "right")
    mixture = read_sound(song)[0] if song == SONG else None
    for name, (samples, rate) in stems.items():
        lufs = loudness(samples, rate)
        truth = HERE / "song" / f"{name}.flac"
        score = gain = "-"  # the true stems are known of the bundled song only
        if mixture is not None and truth.exists():
            true = read_sound(truth)[0]
            value = si_sdr(samples, true)
            score, gain = f"{value:.1f}", f"{value - si_sdr(mixture, true):+.1f}"
        table.add_row(name, f"{len(samples) / rate:.2f}", "-" if lufs is None else f"{lufs:.1f}", score, gain)
    console.print(table)
    for name, stem in job["stems"].items():
        console.print(f"{name}: {stem['url']}", soft_wrap=True)
