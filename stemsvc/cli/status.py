"""`stemsvc status`: whether the service runs, and what it does."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.terminal import AS_JSON, moment, print_json, settings_of_what_runs
from stemsvc.errors import StemsvcError

if TYPE_CHECKING:
    from stemsvc.embedded.state import Running
    from stemsvc.settings import Settings


@click.command()
@AS_JSON
def status(as_json: bool) -> None:
    """Say whether the service runs, where, and what it does. Exits with 1 if nothing runs."""
    from stemsvc.embedded.state import running

    settings = settings_of_what_runs()
    facts = _facts(settings, running(settings))
    if as_json:
        print_json(facts)
    else:
        _describe(facts)
    if not facts["running"]:
        sys.exit(1)


def _facts(settings: Settings, stack: Running | None) -> dict[str, Any]:
    jobs, workers, problem = _counts(settings)
    return {
        "running": stack is not None or bool(workers),
        "url": stack.url if stack else None,
        "pid": stack.pid if stack else None,
        "since": moment(_started(stack.pid)) if stack else None,
        "health": _health(stack.url) if stack else None,
        "data_dir": str(settings.data_dir),
        "workers": workers,
        "jobs": jobs,
        "error": problem,
    }


def _counts(settings: Settings) -> tuple[dict[str, int], int, dict[str, str] | None]:
    from stemsvc.cli.stores import check_started
    from stemsvc.jobstore import JobStore

    try:
        check_started(settings)
        store = JobStore(settings.resolved_database_url)
        try:
            return store.count(), len(store.workers.living()), None
        finally:
            store.close()
    except StemsvcError as error:
        return {}, 0, {"code": error.code, "detail": error.detail}


def _health(url: str) -> dict[str, Any]:
    import httpx

    try:
        found: dict[str, Any] = httpx.get(f"{url}/healthz/ready", timeout=5).json()
    except (httpx.HTTPError, ValueError) as error:
        return {"status": "unavailable", "parts": {"api": str(error)}}
    return found


def _started(pid: int) -> float | None:
    """When a process was started, in seconds since the epoch; None where the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - no file of ours
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime", encoding="ascii") as file:  # noqa: PTH123
            up = float(file.read().split()[0])
    except OSError:
        return None
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")


def _describe(facts: dict[str, Any]) -> None:
    if facts["url"]:
        click.echo(f"running at {facts['url']} since {facts['since']} (process {facts['pid']})")
        health = facts["health"]
        broken = [f"{name}: {state}" for name, state in health.get("parts", {}).items() if state != "ok"]
        click.echo(f"health: {health['status']}" + (f" ({', '.join(broken)})" if broken else ""))
    elif facts["workers"]:
        click.echo("workers are alive; no `stemsvc up` runs over this data folder")
    else:
        click.echo("not running; `stemsvc up` starts it")
    click.echo(f"data: {facts['data_dir']}")
    if facts["error"]:
        click.echo(f"{facts['error']['code']}: {facts['error']['detail']}")
        return
    counted = ", ".join(f"{number} {state}" for state, number in facts["jobs"].items() if number)
    click.echo(f"workers: {facts['workers']}\njobs: {counted or 'none'}")
