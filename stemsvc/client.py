"""A small client of the REST API, for the demo, the tests and scripts."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from stemsvc.errors import NoAnswer, StemsvcError, Timeout, TransientError, revived

AWAY_SECONDS = 60.0  # how long `events` waits for a service that does not answer
END_STATES = ("succeeded", "failed", "canceled", "expired")


class Client:
    """Calls one stemsvc. Raises with the problem's code: `UsageError` for 4xx, `TransientError` for 429 and 503."""

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
        """Send a track with the job's form fields; returns the job. The same `idempotency_key` returns the same job."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        with path.open("rb") as file:
            files = {"file": (path.name, file)}
            return self._json(self._send("POST", "/v1/jobs", data=fields, files=files, headers=headers))

    def submit_url(self, url: str, idempotency_key: str | None = None, **fields: Any) -> dict[str, Any]:
        """Separate a track that the service fetches from `url`; returns the job."""
        return self._submit({"url": url}, idempotency_key, fields)

    def submit_upload(self, upload_id: str, idempotency_key: str | None = None, **fields: Any) -> dict[str, Any]:
        """Separate a track that `upload` sent; returns the job."""
        return self._submit({"upload_id": upload_id}, idempotency_key, fields)

    def _submit(self, source: dict[str, str], key: str | None, fields: dict[str, Any]) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        return self._json(self._send("POST", "/v1/jobs", json={"source": source, **fields}, headers=headers))

    def submit_batch(self, jobs: list[dict[str, Any]], idempotency_key: str | None = None) -> list[dict[str, Any]]:
        """Send several jobs' bodies at once. Returns, in order, the `status` and the `job` or `error` of each.

        Sent again with the same `idempotency_key`, the batch gets the jobs that it made, and makes the others.
        """
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        answer = self._json(self._send("POST", "/v1/jobs:batch", json={"jobs": jobs}, headers=headers))
        results: list[dict[str, Any]] = answer["results"]
        return results

    def upload(self, path: Path) -> str:
        """Send a track straight to storage; returns the id for `submit_upload`."""
        asked = {"filename": path.name, "bytes": path.stat().st_size}
        place = self._json(self._send("POST", "/v1/uploads", json=asked))
        with path.open("rb") as file:  # not through our own client, for the reason in `download`
            response = httpx.put(place["url"], content=file, headers=place["headers"], timeout=self._http.timeout)
        if response.is_error:
            raise _error(response)
        return str(place["upload_id"])

    def events(self, job_id: str) -> Iterator[dict[str, Any]]:
        """The job's events as they happen, until it ends: `{"event", "data"}`. It reconnects a stream that breaks.

        Raises what `job` raises, and `TransientError` `no_answer` if the service does not answer for a minute.
        """
        last, away_since = "", 0.0
        while True:
            try:
                headers = {"Last-Event-ID": last} if last else {}
                with self._http.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as response:
                    if response.status_code == 204:
                        return
                    if response.is_error:
                        response.read()
                        raise _error(response)
                    for event in _parsed(response.iter_lines()):
                        last, away_since = event.get("id", last), 0.0
                        yield event
            except httpx.HTTPError as error:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > AWAY_SECONDS:
                    raise NoAnswer(f"{self._http.base_url} does not answer: {error}") from error
            if not away_since and self.job(job_id)["state"] in END_STATES and last:
                return
            time.sleep(0.5)

    def usage(self, **query: str) -> dict[str, Any]:
        """The usage report; `since` and `until` are in ISO 8601."""
        return self._json(self._send("GET", "/v1/usage", params=query))

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as it is now."""
        return self._json(self._send("GET", f"/v1/jobs/{job_id}"))

    def jobs(self, **query: str | int | list[str]) -> Iterator[dict[str, Any]]:
        """Every job that matches the query (`state`, `model`, `created_after`, ...), newest first."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._json(self._send("GET", "/v1/jobs", params={**query, **({"cursor": cursor} if cursor else {})}))
            yield from page["jobs"]
            cursor = page["next_cursor"]

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancel the job; returns it."""
        return self._json(self._send("POST", f"/v1/jobs/{job_id}/cancel"))

    def delete(self, job_id: str) -> None:
        """Stop the job, and erase its track, its stems and its record."""
        self._send("DELETE", f"/v1/jobs/{job_id}")

    def wait(
        self,
        job_id: str,
        timeout: float,
        on_change: Callable[[dict[str, Any]], None] = lambda job: None,
        pause: float = 0.2,
    ) -> dict[str, Any]:
        """Poll until the job has ended; returns it. A service that does not answer is asked again.

        `timeout` and `pause` are in seconds. Raises `TransientError` `timeout`.
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
                raise Timeout(f"job {job_id} is {last} after {timeout:.0f} s")
            time.sleep(pause)

    def download(self, url: str, path: Path) -> Path:
        """Save what a signed URL points to."""
        # not through our own client: the storage must not see our key, and refuses a request that carries it
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
            raise NoAnswer(f"{self._http.base_url} does not answer: {error}") from error
        if response.is_error:
            raise _error(response)
        return response

    @staticmethod
    def _json(response: httpx.Response) -> dict[str, Any]:
        body: dict[str, Any] = response.json()
        return body


def _parsed(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The server-sent events in the lines of a stream, without its comments."""
    event: dict[str, Any] = {}
    for text in lines:
        name, _, value = text.partition(": ")
        if name in ("id", "event"):
            event[name] = value
        elif name == "data":
            event["data"] = json.loads(value)
        elif not text and "data" in event:
            yield event
            event = {}


def _error(response: httpx.Response) -> StemsvcError:
    try:
        body = response.json()
    except ValueError:
        body = {}
    status = response.status_code
    kind = "transient" if status in (429, 503) else "usage" if status < 500 else "fatal"
    code, detail = body.get("code", f"http_{status}"), body.get("detail", response.reason_phrase)
    return revived({"kind": kind, "code": code, "detail": detail})
