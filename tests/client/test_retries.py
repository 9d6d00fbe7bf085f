"""What is sent again, when, and what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
from stemsvc_client import NoAnswer, Retry, StemsvcError, TransientError, UsageError, codes
from stemsvc_client.messages import Answer

from tests.client.conftest import DROPPED, Call, Reply, World, job


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "a song.flac"
    path.write_bytes(b"fLaC" * 1000)
    return path


def problem(status: int, code: str, **headers: str) -> Reply:
    body = {"code": code, "detail": "why", "request_id": "r7", "errors": {"stems": ["unknown"]}}
    return Reply(status, body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_a_submit_that_is_sent_again_is_one_request(world: World, call: Call, song: Path) -> None:
    world.on(
        "POST /v1/jobs",
        problem(503, "store_unavailable", Retry_After="0"),
        problem(429, "queue_full", Retry_After="0"),
        problem(503, "acceptance_unknown"),
        DROPPED,
        Reply(502, body=b"<html>bad gateway</html>"),
        Reply(201, job()),
    )

    made = call("submit", song, stems=["vocals", "drums"], residual=True, metadata={"a": [1]}, shifts=None)

    assert made.id == "j1"
    asked = world.calls("POST /v1/jobs")
    assert len(asked) == 6
    assert len({each.headers["idempotency-key"] for each in asked}) == 1
    for each in asked:
        assert song.read_bytes() in each.body
        assert b'filename="a song.flac"' in each.body
        for name, value in {"stems": "vocals,drums", "residual": "true", "metadata": '{"a": [1]}'}.items():
            assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in each.body
        assert b"shifts" not in each.body


def test_two_submits_are_two_requests(world: World, call: Call, song: Path) -> None:
    world.on("POST /v1/jobs", Reply(201, job()))
    call("submit", song)
    call("submit_url", "https://example.org/a.mp3", stems=("vocals",))
    call("submit", song, "mine")

    first, second, third = world.calls("POST /v1/jobs")
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert third.headers["idempotency-key"] == "mine"
    assert second.body == b'{"source":{"url":"https://example.org/a.mp3"},"stems":["vocals"]}'


def test_what_will_not_help_is_not_tried_again(world: World, call: Call) -> None:
    world.on("GET /v1/jobs/j1", problem(404, "job_not_found"))
    with pytest.raises(codes.JobNotFound) as caught:
        call("job", "j1")
    error = caught.value
    assert isinstance(error, UsageError)
    found = (error.code, error.detail, error.status, error.request_id, error.errors)
    assert found == ("job_not_found", "why", 404, "r7", {"stems": ["unknown"]})
    assert len(world.asked) == 1

    world.on("GET /v1/jobs/j1", problem(500, "internal_error"))
    with pytest.raises(codes.InternalError):
        call("job", "j1")
    world.on("GET /v1/jobs/j1", problem(429, "key_storage_full"))  # names no time: time alone does not help
    with pytest.raises(codes.KeyStorageFull):
        call("job", "j1")
    assert len(world.asked) == 3


def test_a_pause_longer_than_the_patience_ends_the_call(world: World, call: Call) -> None:
    world.on("GET /v1/jobs/j1", problem(429, "quota_exceeded", Retry_After="3600"))
    begun = time.monotonic()
    with pytest.raises(codes.QuotaExceeded) as caught:
        call("job", "j1")

    assert caught.value.retry_after == 3600
    assert time.monotonic() - begun < 3


def test_retry_after_is_kept_to(world: World, call: Call) -> None:
    world.on("GET /v1/jobs/j1", problem(503, "api_busy", Retry_After="1"), Reply(200, job()))
    begun = time.monotonic()
    call("job", "j1")

    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize(
    ("write", "least", "most"),
    [(lambda: "7", 7, 7), (lambda: date_in(3600), 3500, 3601), (lambda: date_in(-3600), 0, 0)],
    ids=["seconds", "to come", "past"],
)
def test_retry_after_is_a_number_or_a_date(write: Callable[[], str], least: float, most: float) -> None:
    seconds = Answer(503, {"retry-after": write()}).retry_after
    assert seconds is not None
    assert least <= seconds <= most


def date_in(seconds: float) -> str:
    """The HTTP date that many seconds from now, not from when the tests were collected."""
    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5", "9" * 400 + "x"])
def test_retry_after_that_says_nothing_is_none(text: str) -> None:
    assert Answer(503, {"retry-after": text}).retry_after is None


def test_a_service_that_is_not_there_is_asked_until_the_patience_is_over(call: Call, world: World) -> None:
    world.close()
    with pytest.raises(NoAnswer) as caught:
        call("job", "j1", patience=Retry(0.2, 0.01, 0.02))

    assert caught.value.tries > 3
    assert isinstance(caught.value, TransientError)


def test_a_deletion_whose_answer_was_lost_is_done(world: World, call: Call) -> None:
    world.on("DELETE /v1/jobs/j1", DROPPED, problem(404, "job_not_found"))
    assert call("delete", "j1") is None
    world.on("DELETE /v1/jobs/j1", problem(404, "job_not_found"))
    with pytest.raises(codes.JobNotFound):
        call("delete", "j1")


def test_a_code_of_a_newer_service_keeps_its_name_and_its_kind(world: World, call: Call) -> None:
    world.on("GET /v1/jobs/j1", problem(409, "moon_phase_wrong"))
    with pytest.raises(UsageError) as caught:
        call("job", "j1")
    assert caught.value.code == "moon_phase_wrong"
    world.on("GET /v1/jobs/j1", Reply(418, body=b"short and stout"))
    with pytest.raises(StemsvcError) as caught_too:
        call("job", "j1")
    assert caught_too.value.code == "http_418"


def test_a_page_that_is_no_stemsvc_is_told(world: World, call: Call) -> None:
    world.on("GET /v1/jobs/j1", Reply(200, body=b"<html>hello</html>"))
    with pytest.raises(NoAnswer, match="does the address lead to stemsvc"):
        call("job", "j1")


@pytest.mark.parametrize(("url", "key"), [("ftp://x", None), ("http://", None), ("x", None), ("", "a\nb")])
def test_an_address_or_key_that_can_not_be_is_no_silence(call: Call, url: str, key: str | None) -> None:
    from stemsvc_client import Client

    with pytest.raises(UsageError), Client(url or "http://127.0.0.1:9", key) as client:
        client.job("j1")
