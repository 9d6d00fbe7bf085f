"""Waiting for a job's end: `Prefer: wait=n` (RFC 7240)."""

from __future__ import annotations

import re
import time

from flask import after_this_request, request

from api.edge.concurrency import gate
from api.services import services
from stemsvc.control.follow import Follower
from stemsvc.errors import TransientError
from stemsvc.jobs.record import LIVE, JobView

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)
PREFER = {
    "in": "header",
    "name": "Prefer",
    "schema": {"type": "string"},
    "description": "`wait=n`: the answer comes when the job has ended, or after n seconds (by default at most 60). "
    "Other preferences are ignored",
    "example": "wait=30",
}


def awaited(view: JobView) -> JobView:
    """The job at its end, or as it is after the time that the client gives; at once if too many requests wait."""
    found = _WAIT.search(request.headers.get("Prefer", ""))
    if found is None or view.job.finished:
        return view
    seconds = min(float(found[1]), services().settings.max_wait_seconds)

    @after_this_request
    def _say(response):  # type: ignore[no-untyped-def]
        response.headers["Preference-Applied"] = f"wait={seconds:.0f}"
        return response

    try:
        with gate().waiting(), services().watch.follow(view.job.id) as follower:
            _until_end(follower, view.job.id, time.monotonic() + seconds)
    except TransientError:
        return view
    return services().store.view(view.job.id) or view


def _until_end(follower: Follower, job_id: str, deadline: float) -> None:
    job = services().store.get(job_id)  # it may have ended before we followed it
    if job is None or job.finished:
        return
    while (left := deadline - time.monotonic()) > 0:
        try:
            snapshot = follower.wait(left)
        except LookupError:
            return
        if snapshot is not None and snapshot.state not in LIVE:
            return
