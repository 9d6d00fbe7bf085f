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

PARTS = ("engine", "files", "job", "memory")


def say(text: str) -> None:
    """Print progress on stderr: stdout holds only the table."""
    click.echo(text, err=True)


def _show(where: str, figures: list[Figure], output: Path | None) -> None:
    """Print the table, write it to `output` too, and exit with 1 if a bar is missed."""
    from stemsvc.folders import for_the_caller
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
    output: Path | None,
) -> None:
    """Time the engine against upstream's demucs on the same random weights. Exits with 1 if a bar is missed."""
    import torch

    from workers.bench.engine import SIZES, cpu_figures, cuda_figures
    from workers.bench.table import machine

    parts = only or PARTS
    figures: list[Figure] = []
    networks = SIZES[size]
    if device.startswith("cuda"):
        if not torch.cuda.is_available():
            raise NoDevice("this machine has no CUDA device that torch can use")
        figures += cuda_figures(networks, track, repeats, device, say, compiled=compiled)
    elif device == "cpu":
        if "engine" in parts:
            figures += cpu_figures(networks, seconds, repeats, cache, say)
        if {*parts} & {"files", "job", "memory"}:
            from workers.bench.files import file_figures, job_figures, memory_figures

            if "files" in parts:
                figures += file_figures(networks, seconds, repeats, cache, say)
            if "job" in parts:
                figures += job_figures(networks, track, repeats, cache, say)
            if "memory" in parts:
                figures += memory_figures(min(180.0, long / 2), long, say)
    else:
        raise NoDevice(f"the device is cpu or cuda, not {device!r}")
    _show(f"{machine(device)}; networks: {size}", figures, output)


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


if __name__ == "__main__":  # if the project is not installed: `python -m workers.bench.command engine`
    bench()
