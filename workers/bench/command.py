"""`stemsvc bench`.

This module imports only click: a bare GPU machine has only torch, numpy, demucs and what they bring.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stemsvc.errors import NoDevice

if TYPE_CHECKING:
    from workers.bench.table import Figure

PARTS = ("engine", "roformers", "files", "job", "short", "load", "start", "memory")
AUDIO = ("analyze", "mix", "master", "transcribe", "export")


def say(text: str) -> None:
    """Print progress on stderr: stdout holds only the table."""
    click.echo(text, err=True)


def _show(where: str, figures: list[Figure], output: Path | None) -> None:
    """Print the table, write it to `output` too, and exit with 1 if a bar is missed."""
    from stemsvc.host.folders import for_the_caller
    from workers.bench.table import render

    text = f"{where}\n\n{render(figures)}\n"
    click.echo(text)
    if output is not None:
        with for_the_caller():
            output.write_text(text)
    if missed := [figure.name for figure in figures if not figure.met]:
        say(f"missed: {'; '.join(missed)}")
        sys.exit(1)


@click.group()
def bench() -> None:
    """Measure speed, fidelity and load, and print the figures."""


@bench.command()
@click.option("--device", default="cpu", show_default=True, help="device to measure: cpu or cuda")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="part to run, repeatable; all if not given")
@click.option(
    "--size", type=click.Choice(["full", "small"]), default="full", show_default=True, help="size of the networks"
)
@click.option(
    "--seconds",
    type=click.FloatRange(1),
    default=60.0,
    show_default=True,
    help="seconds of music for the figures of the CPU",
)
@click.option(
    "--track",
    type=click.FloatRange(1),
    default=240.0,
    show_default=True,
    help="seconds of the track for whole jobs and cards",
)
@click.option(
    "--long", type=click.FloatRange(1), default=3600.0, show_default=True, help="seconds of the longest track"
)
@click.option(
    "--repeats", type=click.IntRange(1), default=3, show_default=True, help="measured runs; figures are their medians"
)
@click.option("--compile", "compiled", is_flag=True, help="also measure torch.compile on CUDA")
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), help="folder for converted networks")
@click.option(
    "--instructions", type=click.Choice(["avx2", "avx512"]), help="limit the CPU's libraries to these, to compare them"
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="write the table here too")
def engine(
    device: str,
    only: tuple[str, ...],
    size: str,
    seconds: float,
    track: float,
    long: float,
    repeats: int,
    compiled: bool,
    cache: Path | None,
    instructions: str | None,
    output: Path | None,
) -> None:
    """Time the engine against upstream's demucs on the same random weights. Exits with 1 if a bar is missed."""
    from workers.bench.instructions import NOT_OPENVINO, limit

    parts = only or PARTS
    if instructions in NOT_OPENVINO and set(parts) != {"roformers"}:
        raise click.UsageError(f"OpenVINO can't be limited to {instructions}: add `--only roformers`, which torch runs")
    if instructions is not None:
        limit(instructions)
    import torch

    from workers.bench.engine import SIZES, cpu_figures, cuda_figures
    from workers.bench.table import machine

    figures: list[Figure] = []
    networks = SIZES[size]
    if device.startswith("cuda"):
        if not torch.cuda.is_available():
            raise NoDevice("this machine has no CUDA device that torch can use")
        figures += cuda_figures(networks, track, repeats, device, say, compiled=compiled)
    elif device == "cpu":
        if "engine" in parts:
            figures += cpu_figures(networks, seconds, repeats, cache, say)
        if "roformers" in parts:
            from workers.bench.roformers import roformer_figures

            figures += roformer_figures(size, repeats, say)
        figures += _job_figures(parts, size, seconds, track, long, repeats, cache)
    else:
        raise NoDevice(f"the device is cpu or cuda, not {device!r}")
    _show(f"{machine(device)}; networks: {size}", figures, output)


def _job_figures(
    parts: tuple[str, ...], size: str, seconds: float, track: float, long: float, repeats: int, cache: Path | None
) -> list[Figure]:
    """The figures that need more than torch, numpy and demucs."""
    from workers.bench.engine import SIZES

    figures: list[Figure] = []
    if "files" in parts:
        from workers.bench.files import file_figures

        figures += file_figures(SIZES[size], seconds, repeats, cache, say)
    if "job" in parts:
        from workers.bench.jobs import job_figures

        figures += job_figures(SIZES[size], track, repeats, cache, say)
    if "short" in parts:
        from workers.bench.jobs import short_figures

        figures += short_figures(size, repeats, cache, say)
    if "load" in parts:
        from workers.bench.under_load import load_figures

        figures += load_figures(size, min(seconds, 30.0), repeats, cache, say)
    if "start" in parts:
        from workers.bench.start import start_figures

        figures += start_figures(SIZES[size], repeats, say)
    if "memory" in parts:
        from workers.bench.files import memory_figures

        figures += memory_figures(min(180.0, long / 2), long, say)
    return figures


@bench.command()
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="rounds of submits; figures are their medians",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="write the table here too")
def api(rounds: int, output: Path | None) -> None:
    """Load a fresh api with submits, event streams and repeated requests. Exits with 1 if a bar is missed."""
    from workers.bench.api import api_figures
    from workers.bench.table import processor

    figures = api_figures(rounds, say)
    _show(f"{processor()}, {os.cpu_count()} cores", figures, output)


@bench.command()
@click.option(
    "--largest", type=click.IntRange(1000), default=1_000_000, show_default=True, help="jobs of the largest run"
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="write the table here too")
def queue(largest: int, output: Path | None) -> None:
    """Simulate 1,000 workers and 200 keys on the real store. Exits with 1 if a bar is missed."""
    from workers.bench.queue import queue_figures
    from workers.bench.table import processor

    sizes = tuple(dict.fromkeys((1000, *(size for size in (10_000, 100_000) if size < largest), largest)))
    figures = queue_figures(sizes, say)
    _show(f"{processor()}, {os.cpu_count()} cores", figures, output)


@bench.command()
@click.option("--sources", type=click.IntRange(10), default=1000, show_default=True, help="songs of the large workflow")
@click.option("--chains", type=click.IntRange(1), default=10, show_default=True, help="workflows that are timed")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="write the table here too")
def workflows(sources: int, chains: int, output: Path | None) -> None:
    """Time steps' hand-over on a fresh stack, and simulate a large workflow. Exits with 1 if a bar is missed."""
    from workers.bench.handover import handover_figures
    from workers.bench.table import processor
    from workers.bench.workflows import workflow_figures

    figures = [*workflow_figures(sources, say), *handover_figures(chains, say)]
    _show(f"{processor()}, {os.cpu_count()} cores", figures, output)


@bench.command()
@click.option("--only", type=click.Choice(AUDIO), multiple=True, help="kind to measure, repeatable; all if not given")
@click.option(
    "--songs", type=click.IntRange(1), help="songs for each kind; default: analyze 64, master 40, transcribe 60"
)
@click.option("--no-memory", is_flag=True, help="leave out the tracks of an hour")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="write the table here too")
def audio(only: tuple[str, ...], songs: int | None, no_memory: bool, output: Path | None) -> None:
    """Measure the kinds of audio work beside separation, on rendered songs. Exits with 1 if a bar is missed.

    The table of each kind is printed on stderr as soon as it is known, the whole one on stdout. librosa, libsonare and
    essentia get columns where they are installed.
    """
    import pkgutil

    from stemsvc.host.processor import instruction_set
    from workers.bench.table import processor, render

    figures: list[Figure] = []
    for kind in only or AUDIO:
        made = pkgutil.resolve_name(f"workers.bench.audio.{kind}").figures(say, songs, memory=not no_memory)
        say(f"\n{render(made)}\n")
        figures += made
    _show(f"{processor()} ({instruction_set()}), {os.cpu_count()} cores", figures, output)


@bench.command()
@click.option("--prompts", type=click.IntRange(1), default=60, show_default=True, help="how many pieces to make")
@click.option("--seconds", type=click.FloatRange(5, 300), default=30.0, show_default=True, help="length of each")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="write the table here too")
def generate(prompts: int, seconds: float, output: Path | None) -> None:
    """Make music by prompts over genres, tempi and keys, and listen to it. Exits with 1 if a bar is missed."""
    from workers.bench.audio.generate import figures
    from workers.bench.table import processor

    _show(f"{processor()}, {os.cpu_count()} cores", figures(say, prompts, seconds), output)


@bench.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", "names", multiple=True, help="model of the catalog, repeatable; the default one if not given")
@click.option("--device", default="cpu", show_default=True)
@click.option("--overlap", type=click.FloatRange(0, 0.9), help="the model's own if not given")
@click.option("--shifts", type=click.IntRange(0, 20), default=0, show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="write the table here too")
def quality(
    folder: Path, names: tuple[str, ...], device: str, overlap: float | None, shifts: int, output: Path | None
) -> None:
    """Score models on songs whose true stems are known, in dB, with the seconds that they take.

    FOLDER has a folder for each song, with a file for each stem and maybe a `mixture`: MUSDB18-HQ's layout.
    """
    from stemsvc.host.folders import for_the_caller
    from stemsvc.kinds.separate.options import SeparationOptions
    from stemsvc.models.catalog import load_catalog
    from stemsvc.settings import Settings
    from workers.bench.quality import find_songs, measure, render
    from workers.bench.table import processor
    from workers.host.models import Models

    settings = Settings()
    catalog = load_catalog(settings.catalog, settings.default_model)
    entries = [catalog.get(name) for name in dict.fromkeys(names or ("",))]
    options = SeparationOptions(overlap=overlap, shifts=shifts)
    results = measure(find_songs(folder), entries, Models.of(settings), device, options, say)
    where = f"{processor()}, {os.cpu_count()} cores" if device == "cpu" else device
    text = f"{where}\n\n{render(results)}\n"
    click.echo(text)
    if output is not None:
        with for_the_caller():
            output.write_text(text)


if __name__ == "__main__":  # if the project is not installed: `python -m workers.bench.command engine`
    bench()
