"""Follows a job or a workflow to its end: by its stream of events, and by long polls where that does not work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from stemsvc_client import calls
from stemsvc_client.errors import NoAnswer, Timeout, TransientError
from stemsvc_client.event_stream import EventStream
from stemsvc_client.messages import Answer, Request
from stemsvc_client.problems import failure
from stemsvc_client.results import Event, Job
from stemsvc_client.retries import Patience, Retry
from stemsvc_client.steps import Close, Flow, Open, Pause, Read, Tell

SILENCE_SECONDS = 45.0  # the service sends a comment every 15 s
LONG_SECONDS, SHORT_SECONDS = 30.0, 2.0  # of a long poll without and with a listener
Listener = Callable[[Job], Any]


def followed(
    path: str, what: str, handle: Callable[[Event], Flow[None]], retry: Retry, until: float | None = None
) -> Flow[None]:
    """Handle each event of the stream at `path` until it ends. One that breaks is opened again and misses no `state`.

    `what` names the job or the workflow. `until` is a moment of the monotonic clock; raises `Timeout` then.
    """
    patience, last = Patience(retry), ""
    while True:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        request = Request("GET", path, headers=headers, timeout=_silence(until))
        try:
            answer: Answer = yield Open(request)
            error = failure(answer)
            if error is None and answer.status == 204:  # no event is left
                return
            stream = EventStream()
            while error is None and (part := (yield Read())) is not None:
                for event in stream.feed(part):
                    patience.reset()
                    last = event.id or last
                    yield from handle(event)
                _check(what, until)
        except NoAnswer as silence:
            error = silence
        finally:
            yield Close()
        _check(what, until)
        if error is not None:
            yield Pause(patience.pause(error, request))
        elif not last:  # the stream ended before it began
            yield Pause(patience.pause(NoAnswer("the stream of events is empty"), request))


def of_job(job_id: str) -> tuple[str, str]:
    """Where a job's events are, and what to call it."""
    return f"/v1/jobs/{quote(job_id, safe='')}/events", f"job {job_id}"


def waited(job_id: str, timeout: float | None, listener: Listener | None, retry: Retry) -> Flow[Job]:
    """The job at its end. `listener` gets the job whenever it changes. `timeout` is in seconds; None: no limit.

    Raises `Timeout`. A service that is away for a while is asked again, until the timeout or the patience is over.
    """
    until = None if timeout is None else time.monotonic() + timeout
    if listener is not None:
        try:
            yield from _shown(job_id, listener, retry, until)
        except Timeout:
            raise
        except TransientError:
            pass  # no stream for us, or the service is away: the polls find out
    return (yield from _polled(job_id, listener, retry, until))


def _shown(job_id: str, listener: Listener, retry: Retry, until: float | None) -> Flow[None]:
    now: Job = yield from calls.job(job_id, retry)
    yield Tell(listener, now)

    def handle(event: Event) -> Flow[None]:
        nonlocal now
        now = now.moved(event)
        yield Tell(listener, now)

    if not now.ended:
        yield from followed(*of_job(job_id), handle, Retry(min(retry.patience, 10.0), retry.base, retry.cap), until)


def _polled(job_id: str, listener: Listener | None, retry: Retry, until: float | None) -> Flow[Job]:
    seconds, patience, state = SHORT_SECONDS if listener else LONG_SECONDS, Patience(retry), "unknown"
    while True:
        left = seconds if until is None else min(seconds, until - time.monotonic())
        begun = time.monotonic()
        try:
            found: Job = yield from calls.job(job_id, Retry(0.0), wait=left)
        except TransientError as error:
            if until is None:
                yield Pause(patience.pause(error, Request("GET", "")))
            else:
                yield Pause(min(1.0, max(0.0, until - time.monotonic())))
        else:
            patience.reset()
            state = found.state
            if listener is not None:
                yield Tell(listener, found)
            if found.ended:
                return found
            if time.monotonic() - begun < min(left, 0.2):  # it does not wait for us, so we do
                yield Pause(min(left, 0.2))
        if until is not None and time.monotonic() >= until:
            raise Timeout(f"job {job_id} is still {state}")


def _silence(until: float | None) -> float:
    return SILENCE_SECONDS if until is None else max(1.0, min(SILENCE_SECONDS, until - time.monotonic()))


def _check(what: str, until: float | None) -> None:
    if until is not None and time.monotonic() >= until:
        raise Timeout(f"{what} has not ended")
