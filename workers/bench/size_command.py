"""`stemsvc size`: workers, waits, storage and cost for so many jobs a day."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.terminal import AS_JSON, print_json

if TYPE_CHECKING:
    from stemsvc.models.entry import ModelEntry
    from workers.bench.sizing import Sizing

CPU = 1.0  # worker with two cores of an AMD EPYC: the machine that the catalog's costs are of
PROCESSES = 2  # of a worker, by default: while one computes, the other decodes or uploads
SECOND_BYTES = {"flac": 106_000, "wav": 176_400, "mp3": 40_000}  # of a stem, 44.1 kHz stereo: 16 bit, 320 kbit/s
HOURS_PER_MONTH, DAYS_PER_MONTH = 730.0, 30.4


@click.command()
@click.option("--jobs-per-day", type=click.IntRange(1, 1_000_000), required=True)
@click.option(
    "--minutes", type=click.FloatRange(0.5, 60), default=4.0, show_default=True, help="of a track, on average"
)
@click.option("--model", default="htdemucs", show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option(
    "--speed",
    type=click.FloatRange(0.01),
    help="how many times faster than two cores of an AMD EPYC a worker is; a must for cuda, of which no figure is "
    "ours: `stemsvc bench engine --device cuda` measures it",
)
@click.option(
    "--peak", type=click.FloatRange(1, 20), default=2.0, show_default=True, help="busiest moment over the mean"
)
@click.option("--wait", type=click.FloatRange(0), default=300.0, show_default=True, help="seconds that 5 % may exceed")
@click.option("--keep-days", type=click.FloatRange(0), help="that stems are kept; default: STEMSVC_STEMS_TTL_SECONDS")
@click.option("--format", "format_", type=click.Choice(sorted(SECOND_BYTES)), default="flac", show_default=True)
@click.option("--price", type=click.FloatRange(0), help="of a worker's hour; default: STEMSVC_PRICE_PER_DEVICE_HOUR")
@AS_JSON
def size(
    jobs_per_day: int,
    minutes: float,
    model: str,
    device: str,
    speed: float | None,
    peak: float,
    wait: float,
    keep_days: float | None,
    format_: str,
    price: float | None,
    as_json: bool,
) -> None:
    """Say how many workers so many jobs a day need, how long jobs wait then, what is stored, and what it costs.

    It simulates a day whose jobs come at random, most of them in its middle, and runs its busiest jobs by the real
    store and router. Times are the catalog's, which were measured on two cores of an AMD EPYC.
    """
    from stemsvc.cli.terminal import plain_settings
    from stemsvc.models.catalog import load_catalog
    from workers.bench.sizing import DAY, Demand
    from workers.bench.sizing import size as sized

    if device == "cuda" and speed is None:
        raise click.UsageError("give --speed: `stemsvc bench engine --device cuda` measures it on your card")
    settings = plain_settings()
    catalog = load_catalog(settings.catalog, settings.default_model)
    entry = catalog.get(model)
    found = sized(Demand(jobs_per_day, minutes * 60, entry.name, peak), catalog, speed or CPU, wait)
    days = settings.stems_ttl_seconds / DAY if keep_days is None else keep_days
    hourly = settings.price_per_device_hour if price is None else price
    report = {
        **_workers(found, entry),
        **_storage(jobs_per_day, minutes * 60, entry, days, SECOND_BYTES[format_]),
        **_cost(found, jobs_per_day, hourly),
        "currency": settings.currency,
    }
    if as_json:
        print_json(report)
    else:
        _show(report, entry, found)


def _workers(found: Sizing, entry: ModelEntry) -> dict[str, Any]:
    return {
        "workers": found.workers,
        "load": round(found.load, 3),
        "job_seconds": round(found.job_seconds, 1),
        "wait_seconds": {name: round(value, 1) for name, value in asdict(found.waits).items()},
        "simulated_jobs": found.run,
        "simulated_wait_seconds": {name: round(value, 1) for name, value in asdict(found.simulated).items()},
        "memory_mb_per_worker": entry.memory_mb * PROCESSES,
    }


def _storage(jobs: int, seconds: float, entry: ModelEntry, days: float, second_bytes: int) -> dict[str, Any]:
    daily = jobs * seconds * len(entry.stems) * second_bytes
    return {
        "kept_days": days or None,  # 0: for ever
        "stored_gb_per_day": round(daily / 1e9, 1),
        "stored_gb": round(daily * days / 1e9, 1) if days else None,
    }


def _cost(found: Sizing, jobs: int, hourly: float) -> dict[str, Any]:
    """What all workers cost in a month, and what their computing alone costs, as where idle ones are taken away."""
    computing = jobs * DAYS_PER_MONTH * found.job_seconds / 3600 * hourly
    return {
        "cost_per_month": round(found.workers * HOURS_PER_MONTH * hourly, 2),
        "cost_per_month_computing": round(computing, 2),
        "cost_per_job": round(found.job_seconds / 3600 * hourly, 4),
    }


def _show(report: dict[str, Any], entry: ModelEntry, found: Sizing) -> None:
    click.echo(f"workers: {found.workers}, busy for {100 * found.load:.0f} % of the day")
    click.echo(f"memory: {report['memory_mb_per_worker']} MB each ({PROCESSES} processes of {entry.memory_mb} MB)")
    click.echo(f"a job computes for {found.job_seconds:.0f} s")
    for title, waits in (
        ("waiting", found.waits),
        (f"waiting, the busiest {found.run} by the real store", found.simulated),
    ):
        click.echo(f"{title}: median {waits.p50:.0f} s, 95 % {waits.p95:.0f} s, longest {waits.longest:.0f} s")
    kept = f"; {report['stored_gb']:.0f} GB kept" if report["stored_gb"] is not None else "; all of it is kept"
    click.echo(f"stems: {report['stored_gb_per_day']:.1f} GB a day{kept}, without the player's previews")
    if report["cost_per_month"]:
        currency = report["currency"]
        click.echo(
            f"cost: {report['cost_per_month']:.2f} {currency} a month for all workers, "
            f"{report['cost_per_month_computing']:.2f} {currency} where idle ones are taken away"
        )
