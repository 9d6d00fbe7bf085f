"""Machines whose clocks are wrong, with rclone's S3, which refuses what is signed 15 minutes off."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from stemsvc.storage import endpoint_clock
from stemsvc.storage.endpoint_clock import CLOCK, EndpointClock
from stemsvc.storage.s3 import S3Storage
from tests.conftest import s3_storage

OFF = [timedelta(hours=1), timedelta(hours=-1), timedelta(minutes=20), timedelta(days=-400)]


@pytest.fixture(params=OFF, ids=str)
def storage(request: pytest.FixtureRequest, rclone_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    """A client on a machine whose clock has just jumped."""

    class Jumped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            by: timedelta = request.param
            return datetime.now(tz) + by

    monkeypatch.setattr(endpoint_clock, "datetime", Jumped)
    monkeypatch.setattr(CLOCK, "_ahead", timedelta())
    return s3_storage(rclone_endpoint, "stems")


def test_every_call_works(storage: S3Storage) -> None:
    storage.check()  # a HEAD: its refusal has no body that says why
    storage.put("jobs/clock/a", io.BytesIO(b"sound"), "audio/flac")

    assert storage.sizes("jobs/clock/") == {"jobs/clock/a": 5}
    assert storage.delete("jobs/clock/") == 1


def test_the_first_call_may_send_a_body(storage: S3Storage) -> None:
    assert storage.put("jobs/clock/b", io.BytesIO(bytes(100_000)), "audio/flac") == 100_000
    assert storage.size("jobs/clock/b") == 100_000


def test_signed_urls_end_by_the_endpoints_clock(storage: S3Storage) -> None:
    storage.put("jobs/clock/c", io.BytesIO(b"sound"), "audio/flac")

    url = storage.signed_url("jobs/clock/c", 60, "c.flac", "audio/flac")

    assert httpx.get(url).content == b"sound"
    signed = datetime.strptime(httpx.URL(url).params["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(signed - datetime.now(UTC)) < timedelta(seconds=30)


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 28 Nov 2026 11:00:00 -0000", "0"])
def test_what_is_no_date_moves_no_clock(date: str) -> None:
    clock = EndpointClock()
    assert clock.learn(date) == timedelta()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=10)


def test_a_refusal_by_right_clocks_is_no_reason_to_ask_again() -> None:
    date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    answer = {"ResponseMetadata": {"HTTPStatusCode": 403, "HTTPHeaders": {"date": date}}}

    assert EndpointClock().judge((None, answer)) is None
    assert EndpointClock().judge(None) is None
