"""The worker's part of the command line: `stemsvc worker`, `stemsvc fetcher` and `stemsvc separate`.

What a command needs is imported when it is called: `stemsvc --help` reads all of them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.terminal import AS_JSON, print_json
from stemsvc.errors import (
    BadPools,
    BadSetting,
    NoDevice,
    NoPool,
)
from stemsvc.jobs.encoding import FORMATS, check_formats, check_number
from stemsvc.jobs.filenames import clean_filename
from stemsvc.jobs.part import WHOLE, Part
from stemsvc.jobs.pools import ANY, DEVICE, DEVICES, FETCH, WEBHOOKS, Pool, queues_of, single
from stemsvc.jobs.titles import DEFAULT_TEMPLATE as TITLES
from stemsvc.jobs.titles import check_title_template
from stemsvc.jobs.warnings import DEMO_MODEL, JobWarning
from stemsvc.kinds.separate.options import CHANNELS, PRECISIONS, SeparationOptions

if TYPE_CHECKING:
    from stemsvc.settings import Settings

DEFAULTS = SeparationOptions()


class DeviceType(click.ParamType[str]):
    """cpu, mps, cuda or cuda:N."""

    name = "device"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse a value that names no device."""
        if not DEVICE.fullmatch(value):
            self.fail(f"{value!r} is not one of {', '.join(DEVICES)} or cuda:N", param, ctx)
        return value


@click.command()
@click.option("--pool", "names", multiple=True, help="pool of the settings to serve, repeatable")
@click.option("--model", "models", multiple=True, help="model to serve instead of a pool, repeatable; `*` for all")
@click.option("--kind", "kinds", multiple=True, help="kind of job to serve as well, one without models; repeatable")
@click.option("--device", type=DeviceType(), default="cpu", show_default=True, help="device for --model and --kind")
@click.option("--concurrency", type=click.IntRange(1), help="pool processes: jobs at a time")
@click.option("--download-models", is_flag=True, help="download the weights before the worker takes a job")
@click.option("--list-devices", is_flag=True, help="print the devices that torch finds, the best first, and end")
def worker(
    names: tuple[str, ...],
    models: tuple[str, ...],
    kinds: tuple[str, ...],
    device: str,
    concurrency: int | None,
    download_models: bool,
    list_devices: bool,
) -> None:
    """Run a worker: it takes jobs until it is asked to stop.

    Without options it serves, on the CPU, the models of jobs that name none.
    """
    if list_devices:
        from workers.host.accelerators import find_devices

        click.echo("\n".join(find_devices()))
        return
    from stemsvc.kinds.registry import configured_pools
    from stemsvc.models.catalog import load_catalog
    from stemsvc.models.pull import open_puller
    from stemsvc.models.weights_show import pull_for
    from stemsvc.observe.logs import configure_logs
    from stemsvc.settings import Settings

    settings = Settings()
    _not_ready(settings.ready_file)
    catalog = load_catalog(settings.catalog, settings.default_model, accepted=settings.licences)
    if names and (models or kinds):
        raise BadPools("give either --pool, or --model and --kind")
    if names:
        pools = _configured(configured_pools(settings.pools, catalog), names)
    else:
        served_here = (*models, *kinds) or tuple(filter(None, (catalog.default, catalog.fallback)))
        pools = [pool for each in served_here for pool in configured_pools(f"{each}:{device}", catalog)]
    if download_models:
        configure_logs(settings.log_format, settings.log_level)
        click.echo("not ready: downloading missing weights first", err=True)
        pull_for(open_puller(settings), catalog, pools)
    served = list(dict.fromkeys(pool.name for pool in pools))
    if names:
        label = "-".join(names)
    else:
        label = models[0] if len(models) == 1 and models[0] != ANY else f"{len(pools)}-pools"
        label = f"{label}-{device}"
    count = concurrency or max(pool.concurrency or settings.concurrency for pool in pools)
    _become_celery(settings, queues_of(served), served, label, count)


def _configured(pools: list[Pool], names: tuple[str, ...]) -> list[Pool]:
    known = {pool.name: pool for pool in pools}
    if unknown := [name for name in names if name not in known]:
        raise NoPool(f"no pool is called {unknown[0]}; the pools are {', '.join(known)}")
    return [known[name] for name in names]


@click.command()
@click.option("--concurrency", type=click.IntRange(1), default=4, show_default=True, help="threads of this process")
def fetcher(concurrency: int) -> None:
    """Run the fetcher: it fetches tracks from URLs and delivers webhooks. It needs no device."""
    from stemsvc.settings import Settings

    settings = Settings()
    _not_ready(settings.ready_file)
    # Threads suffice: they wait for child processes, or for the network.
    _become_celery(settings, [*queues_of([FETCH]), WEBHOOKS], [FETCH], "fetcher", concurrency, pool="threads")


def _become_celery(
    settings: Settings, queues: list[str], serves: list[str], label: str, concurrency: int, pool: str = "prefork"
) -> None:
    from stemsvc.embedded.preflight import check_ports
    from stemsvc.host.environment import process_environment
    from stemsvc.observe.metrics import folder_for_children
    from workers.host.identity import here

    check_ports([(settings.metrics_host, settings.metrics_port, "STEMSVC_METRICS_PORT")], patience=2.0)
    label = label.replace("/", "-").replace(":", "")
    arguments = [
        sys.executable,
        "-m",
        "celery",
        "--quiet",  # no banner
        "-A",
        "workers.app",
        "worker",
        "-P",
        pool,
        "-Q",
        ",".join(queues),
        "-n",
        f"{label}-{os.getpid()}-{here()[:8]}@%h",  # Celery takes nodes of one name for one node
        "-c",
        str(concurrency),
        "-l",
        settings.log_level,
        "--without-gossip",
        "--without-mingle",
    ]
    # SIGTERM must start Celery's soft shutdown; billiard reads this variable before anything is imported. A pool of
    # threads gets the warm shutdown, which asks them to give back their jobs (workers.host.shutdown).
    remapped = {"REMAP_SIGTERM": "SIGQUIT"} if pool == "prefork" else {}
    ours = {"STEMSVC_SERVES": ",".join(serves), "STEMSVC_CONCURRENCY": str(concurrency)}
    os.execve(
        sys.executable, arguments, process_environment(**ours, **remapped, **folder_for_children(settings.data_dir))
    )


def _not_ready(ready_file: Path | None) -> None:
    """Delete the ready file of an earlier worker: only this worker says that it is ready."""
    if ready_file is None:
        return
    try:
        ready_file.parent.mkdir(parents=True, exist_ok=True)
        ready_file.unlink(missing_ok=True)
    except OSError as error:
        raise BadSetting(f"STEMSVC_READY_FILE {ready_file}: {error.strerror}") from error


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="folder for the stems"
)
@click.option("--model", help="a name from `stemsvc models`")
@click.option("--quality", default="", help="in place of --model: a name from `stemsvc models presets`, such as best")
@click.option("--device", type=DeviceType(), default="cpu", show_default=True)
@click.option("--stems", default="", help="stems wanted, separated by commas; all if empty")
@click.option(
    "--format",
    "formats",
    type=click.Choice(list(FORMATS)),
    default=("flac",),
    show_default=True,
    multiple=True,
    help="repeatable: the song is separated once",
)
@click.option("--bit-depth", type=click.Choice(["16", "24", "float32"]))
@click.option("--residual", is_flag=True, help="also write the mixture minus the stems")
@click.option("--tags/--no-tags", default=True, show_default=True, help="carry over the song's tags and cover")
@click.option("--title-template", default="", help=f"title in the stems' tags  [default: {TITLES}]")
@click.option(
    "--overlap",
    type=float,
    help="share of a segment that the next one covers; the model's own if not given (Demucs': 0.25)",
)
@click.option("--shifts", type=int, default=DEFAULTS.shifts, show_default=True, help="passes at random offsets")
@click.option("--seed", type=int, default=DEFAULTS.seed, show_default=True, help="seed of the random offsets")
@click.option("--segment", type=float, help="seconds of a segment; the model's own if not given")
@click.option("--precision", type=click.Choice(PRECISIONS), default=DEFAULTS.precision, show_default=True)
@click.option("--start", type=float, default=WHOLE.start, show_default=True, help="second at which to begin")
@click.option("--end", type=float, help="second at which to end; the song's end if not given")
@click.option("--audio-track", type=int, help="which audio track of a video, from 0; its default one if not given")
@click.option("--trim-start", is_flag=True, help="leave out the silence before a track that starts late in its file")
@click.option("--channels", type=click.Choice(CHANNELS), default=CHANNELS[0], show_default=True)
@AS_JSON
def separate(
    file: Path,
    output: Path,
    model: str | None,
    quality: str,
    device: str,
    stems: str,
    formats: tuple[str, ...],
    bit_depth: str | None,
    residual: bool,
    tags: bool,
    title_template: str,
    start: float,
    end: float | None,
    audio_track: int | None,
    trim_start: bool,
    channels: str,
    as_json: bool,
    **how: Any,
) -> None:
    """Separate FILE in this process, without servers.

    STEMS are those of the model. `no_vocals` is the sum of all stems but the vocals. `minus_vocals` is the mixture
    minus the vocals, and takes less work.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from stemsvc.kinds.separate.kind import KIND, SeparateParams
    from stemsvc.models.here import catalog_here
    from stemsvc.settings import Settings
    from workers.attempt.settle import settle_here
    from workers.audio.decode import Limits
    from workers.host.models import Models
    from workers.kinds.separate.separate import planned, separate_file
    from workers.output_folder import open_output_folder

    settings = Settings()
    catalog = catalog_here(settings)
    part, names = Part(start, end, audio_track, trim_start), tuple(filter(None, stems.split(",")))
    wanted = SeparateParams(model or "", names, residual, SeparationOptions(**how), part, channels, quality=quality)
    params = KIND.check(KIND.choose(wanted, catalog, device), ("source",), catalog)
    encoding = replace(
        check_formats(formats[0], formats, bit_depth), tags=tags, title_template=check_title_template(title_template)
    )
    check_number(len(params.outputs), encoding)
    _check_device(single(params.model, device))
    files = {key: (each.output, f".{each.encoding.extension}") for key, each in planned(params, encoding).items()}
    place = open_output_folder(output, file.name, files)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    if params.chosen:
        console.print(params.chosen, soft_wrap=True, markup=False, highlight=False)
    with tempfile.TemporaryDirectory(prefix="stemsvc-") as folder, bar:
        task = bar.add_task("starting", total=1.0)

        def show(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done / total if total else 0.0)

        _load_engine_beside()
        limits, networks, name = Limits(settings.max_duration_seconds), Models.of(settings), clean_filename(file.name)
        params, warning = settle_here(KIND, params, catalog, networks, show)
        entry = catalog.get(params.model)
        networks.compile_beside(entry, device, params.separation.precision)
        done = separate_file(file, Path(folder), params, encoding, entry, device, networks, limits, show, name=name)
        for told in (*([JobWarning(DEMO_MODEL, warning)] if warning else ()), *done.track.warnings):
            bar.console.print(f"warning: {told.code}: {told.detail}", soft_wrap=True, markup=False)
        made = []
        for key, encoded in done.outputs.items():
            target = place.write(key, encoded.path)
            made.append({"stem": key, "path": str(target), "seconds": encoded.seconds, "bytes": encoded.bytes})
            said = f"{target}  {encoded.seconds:.2f} s  {encoded.bytes} bytes  {encoded.clipped_samples} clipped"
            if not as_json:
                click.echo(said)
    if as_json:
        print_json(made)


def _load_engine_beside() -> None:
    """Load torch and the engine in a thread: a child process decodes meanwhile, and this one would only wait."""
    import importlib

    def load() -> None:
        with contextlib.suppress(ImportError):  # who needs it says what is missing
            importlib.import_module("workers.engine.separate")

    threading.Thread(target=load, name="engine").start()


def _check_device(pool: Pool) -> None:
    if pool.kind == "cpu":
        return
    import torch

    ready = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not ready[pool.kind]:
        raise NoDevice(f"this machine has no {pool.device} device that torch can use")
