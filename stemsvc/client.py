"""A small client of the REST API, for the demo, the tests and scripts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from stemsvc.errors import FatalError, TransientError, UsageError

END_STATES = ("succeeded", "failed", "canceled", "expired")


class Client:
    """Talks to one stemsvc. Raises with the problem's code: `UsageError` for 4xx, `TransientError` for 429 and 503."""

    def __init__(self, url: str, timeout: float = 60.0, key: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, timeout=timeout, headers=headers)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def submit(self, path: Path, idempotency_key: str | None = None, **fields: str) -> dict[str, Any]:
        """Send a track with the job's form fields; returns the job, the same one for the same key."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        with path.open("rb") as file:
            files = {"file": (path.name, file)}
            return self._json(self._send("POST", "/v1/jobs", data=fields, files=files, headers=headers))

    def job(self, job_id: str) -> dict[str, Any]:
        """The job now."""
        return self._json(self._send("GET", f"/v1/jobs/{job_id}"))

    def jobs(self, **query: str | int | list[str]) -> Iterator[dict[str, Any]]:
        """Every job that the query lets through (`state`, `model`, `created_after`, ...), newest first."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._json(self._send("GET", "/v1/jobs", params={**query, **({"cursor": cursor} if cursor else {})}))
            yield from page["jobs"]
            cursor = page["next_cursor"]

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Stop the job."""
        return self._json(self._send("POST", f"/v1/jobs/{job_id}/cancel"))

    def delete(self, job_id: str) -> None:
        """Stop the job and erase all of it."""
        self._send("DELETE", f"/v1/jobs/{job_id}")

    def wait(
        self,
        job_id: str,
        timeout: float,
        on_change: Callable[[dict[str, Any]], None] = lambda job: None,
        pause: float = 0.2,
    ) -> dict[str, Any]:
        """Poll until the job has ended; a service that does not answer for a while is asked again.

        Raises `TransientError` `timeout`.
        """
        deadline = time.monotonic() + timeout
        last = "unknown"
        while True:
            with contextlib.suppress(TransientError):
                job = self.job(job_id)
                on_change(job)
                if job["state"] in END_STATES:
                    return job
                last = f"still {job['state']}"
            if time.monotonic() > deadline:
                raise TransientError("timeout", f"job {job_id} is {last} after {timeout:.0f} s")
            time.sleep(pause)

    def download(self, url: str, path: Path) -> Path:
        """Save what a signed URL points to."""
        # apart from our own client: a storage that is handed our key as well refuses, and should not see it
        with httpx.stream("GET", url, timeout=self._http.timeout) as response:
            if response.is_error:
                response.read()
                raise _error(response)
            with path.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
        return path

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            raise TransientError("no_answer", f"{self._http.base_url} does not answer: {error}") from error
        if response.is_error:
            raise _error(response)
        return response

    @staticmethod
    def _json(response: httpx.Response) -> dict[str, Any]:
        body: dict[str, Any] = response.json()
        return body


def _error(response: httpx.Response) -> UsageError | TransientError | FatalError:
    try:
        body = response.json()
    except ValueError:
        body = {}
    status = response.status_code
    kind = TransientError if status in (429, 503) else UsageError if status < 500 else FatalError
    return kind(str(body.get("code", f"http_{response.status_code}")), str(body.get("detail", response.reason_phrase)))
