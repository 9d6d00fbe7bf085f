"""`stemsvc workers`: what each live worker can do, how busy it is, what it does."""

from __future__ import annotations

from typing import Any

import click

from stemsvc.cli.terminal import AS_JSON, Column, Listing, print_json, settings_of_what_runs


@click.command()
@AS_JSON
def workers(as_json: bool) -> None:
    """List the live workers: their kinds, models and device, their load, their current jobs and steps."""
    from stemsvc.cli.stores import check_started
    from stemsvc.control.present_workers import worker_bodies
    from stemsvc.control.services import open_services

    settings = settings_of_what_runs()
    check_started(settings)
    services = open_services(settings)
    try:
        found = worker_bodies(services.store, services.pools)
    finally:
        services.close()
    if as_json:
        print_json({"workers": found})
        return
    if not found:
        click.echo("no worker is alive")
        return
    numbers = (Column(name, right=True) for name in ("busy", "load", "free MB", "age s"))
    listing = Listing("worker", "device", "kinds", "loaded", *numbers, "does", "lacks")
    for each in found:
        listing.add(
            each["id"],
            f"{each['device']} {each['device_name']}",
            ", ".join(each["kinds"]),
            ", ".join(each["models"]),
            f"{each['busy']}/{each['slots']}",
            each["load"],
            each["free_memory_mb"],
            f"{each['age_seconds']:.1f}",
            ", ".join(map(_step, each["steps"])) or "idle",
            ", ".join(each["lacking"]),
        )
    listing.show()


def _step(step: dict[str, Any]) -> str:
    of = f" (step {step['step']} of {step['workflow_id']})" if step["workflow_id"] else ""
    return f"{step['job_id']} {step['stage']} {step['fraction']:.0%}{of}"
