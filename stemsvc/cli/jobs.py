"""`stemsvc jobs`: an operator looks at jobs, stops them, erases them, sends them again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from stemsvc.cli.acting import acting
from stemsvc.cli.stores import check_started, whole_id
from stemsvc.cli.submitting import KEY, URL, service, translated
from stemsvc.cli.terminal import (
    AS_JSON,
    Column,
    Listing,
    plain_settings,
    print_json,
    printable,
    settings_of_what_runs,
)
from stemsvc.errors import JobNotFound

if TYPE_CHECKING:
    from stemsvc.control.services import Services
    from stemsvc.jobs.record import Job
    from stemsvc.jobstore import JobStore

STATES = ("queued", "running", "succeeded", "failed", "canceled", "expired")
MOVES = {"from_state": "from", "to_state": "to"}  # names of a timeline's entry, as the api has them
JOB_ID = click.argument("job_id")
JOB_IDS = click.argument("job_ids", nargs=-1, required=True, metavar="JOB_ID...")


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="only jobs in this state; repeatable")
@AS_JSON
@click.pass_context
def jobs(context: click.Context, limit: int, states: tuple[str, ...], as_json: bool) -> None:
    """List the newest jobs, look at one, stop it, erase it, send it again.

    The beginning of an id is enough where a command takes JOB_ID.
    """
    if context.invoked_subcommand is None:
        _list(limit, states, as_json)


@jobs.command()
@JOB_ID
@AS_JSON
def show(job_id: str, as_json: bool) -> None:
    """Show a job: how far it is, its files, its warnings, its error, its timeline."""
    from stemsvc.control.present import Links, job_body
    from stemsvc.embedded.state import running

    with _services() as services:
        view = services.store.view(whole_job_id(services.store, job_id))
        if view is None:
            raise JobNotFound(f"no job {job_id}")
        settings = services.settings
        stack = running(settings)
        base = settings.public_url or (stack.url if stack else f"http://{settings.api_host}:{settings.api_port}")
        links = Links(services.storage, settings.url_ttl_seconds, base, services.signer, services.retention)
        body = _plain(job_body(links, view))
    if as_json:
        print_json(body)
    else:
        _describe(body)


@jobs.command()
@JOB_IDS
def cancel(job_ids: tuple[str, ...]) -> None:
    """Stop jobs. A worker that runs one of them stops within one segment."""
    with _services() as services:
        for job_id in [whole_job_id(services.store, each) for each in job_ids]:
            services.acceptance.cancel(job_id, None)
            click.echo(f"canceled {job_id}")


@jobs.command()
@JOB_IDS
@click.option("--yes", is_flag=True, help="do not ask")
def delete(job_ids: tuple[str, ...], yes: bool) -> None:
    """Stop jobs, and erase their songs, their files and their records."""
    with _services() as services:
        found = [whole_job_id(services.store, each) for each in job_ids]
        if not yes and sys.stdin.isatty():
            click.confirm(f"erase {', '.join(found)}?", abort=True)
        for job_id in found:
            services.acceptance.erase(job_id, None, acting())
            click.echo(f"deleted {job_id}")


@jobs.command()
@JOB_IDS
@URL
@KEY
@AS_JSON
def retry(job_ids: tuple[str, ...], url: str | None, key: str | None, as_json: bool) -> None:
    """Send ended jobs again: each becomes a new job. This asks the api, which must run."""
    from stemsvc_client import Client

    made = []
    address, its_key = service(url, key)
    with translated(), Client(address, its_key) as client:
        for each in job_ids:
            whole = each
            if url is None:
                with _opened() as store:
                    whole = whole_job_id(store, each)
            job = client.retry(whole)
            made.append(job.raw)
            if not as_json:
                click.echo(f"{whole} is sent again as {job.id}")
    if as_json:
        print_json(made)


@jobs.command()
@AS_JSON
def stuck(as_json: bool) -> None:
    """List overdue jobs, with the reason. Exits with 1 if there are any. `stemsvc recover` makes them go on."""
    from stemsvc.control.overdue import find_stuck

    with _services() as services:
        settings = services.settings
        found = find_stuck(
            services.store,
            services.publisher,
            sweep_seconds=settings.dispatch_interval_seconds,
            republish_seconds=settings.republish_seconds,
            time_limit=settings.job_time_limit_seconds,
        )
    if as_json:
        print_json([{**_facts(each.job), "overdue_seconds": each.seconds, "why": each.why} for each in found])
    elif not found:
        click.echo("no job is stuck")
    else:
        listing = Listing("id", "state", "pool", "attempt", Column("overdue", right=True), "why")
        for each in found:
            job = each.job
            attempt = f"{job.attempt}/{job.max_attempts}"
            listing.add(job.id, job.state, job.pool, attempt, f"{each.seconds:.0f} s", each.why)
        listing.show()
    if found:
        sys.exit(1)


def whole_job_id(store: JobStore, given: str) -> str:
    """The id of the one job whose id begins so. Raises `job_not_found` or `ambiguous_id`."""
    return whole_id(given.lower(), partial(store.begins, limit=10), JobNotFound(f"no job {given}"))


@contextmanager
def _services() -> Iterator[Services]:
    from stemsvc.control.services import open_services

    settings = settings_of_what_runs()
    check_started(settings)
    services = open_services(settings)
    try:
        yield services
    finally:
        services.close()


@contextmanager
def _opened() -> Iterator[JobStore]:
    from stemsvc.jobstore import JobStore

    settings = plain_settings()
    check_started(settings)
    store = JobStore(settings.resolved_database_url)
    try:
        yield store
    finally:
        store.close()


def _list(limit: int, states: tuple[str, ...], as_json: bool) -> None:
    from stemsvc.jobs.record import JobState
    from stemsvc.jobstore.listing import Filter

    with _opened() as store:
        found = store.page(Filter(states=tuple(map(JobState, states))), limit).jobs
    if as_json:
        print_json([*map(_facts, found)])
        return
    if not found:
        click.echo("no jobs")
        return
    progress = Column("progress", right=True)
    listing = Listing("id", "created", "state", "model", progress, "stage", "attempt", "song", "error")
    for job in found:
        created = datetime.fromtimestamp(job.created_at).strftime("%Y-%m-%d %H:%M:%S")
        cells = (job.id, created, job.state, job.spec.model or job.kind, f"{job.fraction:.0%}", job.stage)
        listing.add(*cells, f"{job.attempt}/{job.max_attempts}", job.name, job.error_code)
    listing.show()


def _facts(job: Job) -> dict[str, Any]:
    from stemsvc.control.present import summary

    ours = {"pool": job.pool, "max_attempts": job.max_attempts, "key": job.owner or None}
    return {**_plain(summary(job)), **ours}


def _plain(value: Any) -> Any:
    """A job's body with its moments as ISO 8601, and with the timeline's names as the api has them."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {MOVES.get(name, name): _plain(each) for name, each in value.items()}
    return [*map(_plain, value)] if isinstance(value, (list, tuple)) else value


def _describe(body: dict[str, Any]) -> None:
    progress, problem = body["progress"], body["error"]
    done = f"{progress['fraction']:.0%} {progress['stage']}"
    facts = {
        "job": body["id"],
        "song": body["filename"],
        "state": f"{body['state']} ({done})",
        "model": body["model"] or body["kind"],
        "pool": body["pool"],
        "attempt": f"{body['attempt']}/{body['max_attempts']}",
        "created": body["created_at"],
        "started": body["started_at"],
        "finished": body["finished_at"],
        "error": f"{problem['code']}: {problem['detail']}" if problem else None,
    }
    for name, value in facts.items():
        if value:
            click.echo(f"{name + ':':10}{printable(str(value))}")
    for warning in body.get("warnings") or ():
        click.echo(f"warning:  {printable(warning['code'] + ': ' + warning['detail'])}")
    if body["files"]:
        click.echo()
        files = Listing("file", "name", Column("bytes", right=True), Column("seconds", right=True))
        for name, file in body["files"].items():
            files.add(name, file["filename"], file["bytes"], file.get("duration_seconds"))
        files.show()
    click.echo()
    timeline = Listing("at", "state", "why", "worker")
    for move in body["timeline"]:
        timeline.add(move["at"], move["to"], move["why"], move["worker"])
    timeline.show()
