"""A job's row and its timeline, read and written inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

import sqlalchemy as sa

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.pools import INPUTS
from stemsvc.jobs.record import Event, Job, JobState, JobView
from stemsvc.jobs.spec import Envelope, Input, JobSpec
from stemsvc.jobs.warnings import read_warnings, to_json
from stemsvc.jobstore import fair_queue
from stemsvc.jobstore.tables import db_now, events, jobs

_ENVELOPE = tuple(each.name for each in fields(Envelope))
_ENCODING = tuple(each.name for each in fields(Encoding))
_INPUT = tuple(each.name for each in fields(Input))
_OWN = tuple(each.name for each in fields(Job) if each.name not in ("spec", "inputs"))


def to_row(job: Job) -> dict[str, Any]:
    """The row of a job.

    The first input also has columns of its own, and `options` has all that release 0.1 wrote into it: during a rolling
    upgrade the processes of that release read these rows.
    """
    spec, first = job.spec, job.inputs[0] if job.inputs else Input("")
    options = {**vars(spec.envelope), **spec.encoding.asked}
    row = {name: getattr(job, name) for name in _OWN}
    return {
        **row,
        "state": str(job.state),
        "kind": spec.kind,
        "params": spec.params,
        "options": {**spec.more, **options, "source_url": first.url},
        "inputs": [dict(vars(each)) for each in job.inputs],
        "warnings": to_json(job.warnings),
        "input_key": first.key,
        "input_name": first.name if job.inputs else job.name,  # which a search looks at
        "input_bytes": first.bytes,
        "input_sha256": first.sha256,
        "stored_bytes": bytes_of(job.inputs),
    }


def bytes_of(inputs: Iterable[Input]) -> int:
    """What the inputs take in the storage, as far as it is known."""
    return sum(each.bytes for each in inputs)


def to_job(row: Mapping[Any, Any]) -> Job:
    """The job of a row, also of one that another release wrote: options that we don't know are kept in `more`."""
    values = {name: row[name] for name in _OWN}
    more = dict(row["options"])
    url = more.pop("source_url", "")
    envelope = {name: more.pop(name) for name in _ENVELOPE if name in more}
    envelope["webhook_events"] = tuple(envelope.get("webhook_events", ()))
    encoding = {name: more.pop(name) for name in _ENCODING if name in more}
    encoding["formats"] = tuple(encoding.get("formats", ()))
    params = row["params"]
    if params is None:  # release 0.1 wrote the params into `options`
        params, more = more, {}
    spec = JobSpec(row["kind"], params, Envelope(**envelope), Encoding(**encoding), more)
    values |= {"state": JobState(row["state"]), "facts": row["facts"] or {}, "previews": row["previews"] or {}}
    values["warnings"] = read_warnings(row["warnings"])
    return Job(**values, spec=spec, inputs=_inputs(row, url))


def _inputs(row: Mapping[Any, Any], url: str) -> tuple[Input, ...]:
    """The inputs. The columns of the first one win, because a fetcher of release 0.1 writes only those."""
    stored = row["inputs"]
    if stored == []:
        return ()
    known = [Input(**{name: each[name] for name in _INPUT if name in each}) for each in stored or [{"name": ""}]]
    first = replace(
        known[0],
        name=row["input_name"],
        key=row["input_key"],
        bytes=row["input_bytes"],
        sha256=row["input_sha256"],
        url=url,
    )
    return (first, *known[1:])


_FIND = sa.select(jobs).where(jobs.c.id == sa.bindparam("job_id"))
_APPEND = events.insert().values(
    job_id=sa.bindparam("job_id"),
    at=db_now(),
    from_state=sa.bindparam("old"),
    to_state=sa.bindparam("new"),
    why=sa.bindparam("why"),
    worker=sa.bindparam("worker"),
)


def find(connection: sa.Connection, job_id: str) -> Job | None:
    """The job of that id; None where there is none."""
    row = connection.execute(_FIND, {"job_id": job_id}).mappings().first()
    return to_job(row) if row else None


def view(connection: sa.Connection, job: Job) -> JobView:
    """The job with its timeline and its place in the queue."""
    return JobView(job, timeline(connection, job.id), _queue_position(connection, job))


def timeline(connection: sa.Connection, job_id: str) -> list[Event]:
    """The entries of the job's timeline, oldest first."""
    query = sa.select(events).where(events.c.job_id == job_id).order_by(events.c.id)
    rows = connection.execute(query).mappings()
    return [Event(r["at"], r["from_state"], r["to_state"], r["why"], r["worker"], r["id"]) for r in rows]


def _queue_position(connection: sa.Connection, job: Job) -> int | None:
    if job.state is not JobState.QUEUED or job.pool == INPUTS:
        return None
    return fair_queue.position(connection, job.pool, job.priority, job.turn, job.created_at)


def append(connection: sa.Connection, job_id: str, old: str | None, new: str, why: str, worker: str | None) -> None:
    """Add an entry to the job's timeline, at the database's time."""
    connection.execute(_APPEND, {"job_id": job_id, "old": old, "new": str(new), "why": why, "worker": worker})


def is_due() -> sa.ColumnElement[bool]:
    """The condition that a job's pause before its next attempt is over."""
    return sa.or_(jobs.c.not_before.is_(None), jobs.c.not_before <= db_now())
