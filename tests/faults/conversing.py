"""Faults while people ask by words: each message is answered once, what it asks for is made once, a piece is whole."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.faults.stage import SHORT, Stage
from tests.processes import wait_for

TALKS = 10
MESSAGE = "extract the vocals"  # which becomes a separation
PATIENCE_SECONDS = 120.0
PIECE = 60.0  # seconds of a piece of music that is long enough to be hit in the middle


def kill_the_api_while_messages_are_said(stage: Stage) -> float:
    """Clients send their message again, with its key, until it is answered: the api dies before it, within it, after
    it, and every message has made one job."""
    talks = [_begun(stage) for _ in range(TALKS)]
    before = stage.reader.ids()
    with ThreadPoolExecutor(TALKS) as pool:
        said = [pool.submit(_said, stage.url, talk) for talk in talks]
        wait_for("a first job", lambda: stage.reader.ids() != before)
        stage.api.kill()
        stage.fault()
        killed = time.monotonic()
        stage.api.restart()
        made = [each.result(PATIENCE_SECONDS + 60) for each in said]
    jobs = []
    for talk, workflow_id in zip(talks, made, strict=True):
        assert _said(stage.url, talk) == workflow_id  # once more: the answer that it got
        shown = httpx.get(f"{stage.url}/v1/conversations/{talk[0]}", timeout=30).raise_for_status().json()
        assert ([each["workflow_id"] for each in shown["versions"]], shown["messages"]) == ([workflow_id], 2)
        (job,) = [job for step in stage.client.workflow(workflow_id).steps for job in step.jobs]
        jobs.append(stage.expect(job.id, SHORT))
    assert stage.reader.ids() - before == set(jobs)
    stage.end(*jobs)
    return time.monotonic() - killed


def kill_a_pool_child_while_it_makes_music(stage: Stage) -> float:
    """The piece is made anew by another process, as long as it was asked for, and nothing of the first one stays."""
    made = stage.client.create_generation("a house track at 124 in A minor", duration=PIECE, cache=False)
    job_id = stage.expect(made.id, PIECE)
    os.kill(stage.in_the_middle(job_id), signal.SIGKILL)
    stage.fault()
    took = stage.end(job_id, seconds=2 * PATIENCE_SECONDS)
    assert stage.attempts(job_id) == 2
    return took


def _begun(stage: Stage) -> tuple[str, str]:
    """A conversation about a song, and the key of the message to come."""
    source = {"upload_id": stage.client.upload(stage.songs[SHORT])}
    body = {"source": source, "auto_run": True}
    made = httpx.post(f"{stage.url}/v1/conversations", json=body, timeout=30).raise_for_status().json()
    return str(made["id"]), uuid.uuid4().hex


def _said(url: str, talk: tuple[str, str]) -> str:
    """Send the message until it is answered; returns the workflow that it has made."""
    conversation_id, key = talk
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(
                f"{url}/v1/conversations/{conversation_id}/messages",
                json={"text": MESSAGE},
                headers={"Idempotency-Key": key},
                timeout=30,
            )
            if answer.status_code == 201:
                return str(answer.json()["reply"]["workflow_id"])
            assert answer.status_code in (429, 503), answer.text
        time.sleep(0.05)
    raise AssertionError(f"{conversation_id} has no answer")
