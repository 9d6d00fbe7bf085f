"""boto3's clients of S3 endpoints: one for each, shared between threads, made anew when the credentials change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import boto3
from botocore.config import Config

from stemsvc.storage.endpoint_clock import follow

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Credentials = tuple[str | None, str | None]  # key id and secret; both None: boto3 searches for them


class Clients:
    """The clients by endpoint, each made at first use. `credentials` says before each call which key counts.

    `addressing` is `path`, `virtual`, `auto`. A call is tried `attempts` times.
    """

    def __init__(self, region: str, credentials: Callable[[], Credentials], attempts: int, addressing: str) -> None:
        self._region = region
        self._credentials = credentials
        self._attempts = attempts
        self._addressing = addressing
        self._used: Credentials = (None, None)
        self._made: dict[str | None, S3Client] = {}
        self._lock = threading.Lock()

    def of(self, endpoint: str | None) -> S3Client:
        """The endpoint's client; None is AWS."""
        with self._lock:
            if (given := self._credentials()) != self._used:
                self._made, self._used = {}, given  # what is under way ends with the old ones
            if endpoint not in self._made:
                self._made[endpoint] = self._make(endpoint, given)
            return self._made[endpoint]

    def _make(self, endpoint: str | None, given: Credentials) -> S3Client:
        made: S3Client = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=self._region,
            aws_access_key_id=given[0],
            aws_secret_access_key=given[1],
            config=Config(
                signature_version="s3v4",
                # R2 answers `Unauthorized` to the checksums that newer SDKs add by default
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"mode": "standard", "max_attempts": self._attempts},
                connect_timeout=5,
                read_timeout=60,
                s3={"addressing_style": self._style(endpoint)},
            ),
        )
        follow(made)
        return made

    def _style(self, endpoint: str | None) -> Literal["auto", "path", "virtual"]:
        if self._addressing == "virtual":
            return "virtual"
        return "path" if self._addressing == "path" or endpoint else "auto"
