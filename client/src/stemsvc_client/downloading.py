"""Downloads files by signed URLs. A download that breaks goes on where it broke."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stemsvc_client import calls
from stemsvc_client.draft import CHUNK, Draft
from stemsvc_client.errors import DownloadCorrupt, NoAnswer, StemsvcError
from stemsvc_client.messages import Answer, Request
from stemsvc_client.problems import failure
from stemsvc_client.results import Job
from stemsvc_client.retries import Patience, Retry
from stemsvc_client.steps import Close, Flow, Open, Read, Tell, Work
from stemsvc_client.steps import Pause as Wait

EXPIRED = (401, 403)  # what storages answer to a signed URL that has expired
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
Counter = Callable[[float], Any]


def downloaded(
    url: str,
    path: Path,
    sha256: str,
    retry: Retry,
    fresh: Callable[[], Flow[str]] | None = None,
    counter: Counter | None = None,
) -> Flow[Path]:
    """Save what `url` points to. `fresh` asks for a new URL when this one has expired; `counter` gets the share done.

    A part that an earlier try left is completed (`Range`, `If-Range`). Bytes that do not fit `sha256` are fetched once
    more, all of them. Raises `StemsvcError`; nothing stands at `path` then but what stood there before.
    """
    draft, patience, etag, corrupt = Draft(path, sha256), Patience(retry), "", False
    yield Work(draft.open)
    try:
        while True:
            request = Request("GET", url, headers=_headers(draft.have, etag))
            error: StemsvcError | None = None
            try:
                answer: Answer = yield Open(request, CHUNK)
                error = failure(answer)
                if answer.status == 416 and draft.have:  # the part is the whole, or of another file
                    error = None
                    if f"*/{draft.have}" not in answer.headers.get("content-range", ""):
                        yield Work(draft.restart)
                        continue
                elif error is None:
                    etag = _strong(answer) or etag
                    yield from _received(answer, draft, patience, counter)
            except NoAnswer as silence:
                error = silence
            finally:
                yield Close()
            if error is not None and error.status in EXPIRED and fresh is not None and patience.tries < 2:
                patience.tries += 1
                url = yield from fresh()
            elif error is not None:
                yield Wait(patience.pause(error, request))
            else:
                try:
                    yield Work(draft.finish)
                    return path
                except DownloadCorrupt:
                    if corrupt:
                        raise
                    corrupt, etag = True, ""
                    yield Work(draft.restart)
    finally:
        yield Work(draft.close)


def _received(answer: Answer, draft: Draft, patience: Patience, counter: Counter | None) -> Flow[None]:
    found = _RANGE.fullmatch(answer.headers.get("content-range", "")) if answer.status == 206 else None
    if found is None or int(found[1]) != draft.have:
        if answer.status == 206 and draft.have:
            yield Work(draft.restart)
            raise NoAnswer("the storage sent another part than was asked for")
        yield Work(draft.restart)
    total = int(found[2]) if found else int(answer.headers.get("content-length") or 0)
    while (part := (yield Read())) is not None:
        yield Work(partial(draft.write, part))
        patience.reset()
        if counter is not None:
            yield Tell(counter, draft.have / total if total else 0.0)
    if total and draft.have < total:
        raise NoAnswer(f"{draft.have} of {total} bytes came")


def _headers(have: int, etag: str) -> dict[str, str]:
    plain = {"Accept-Encoding": "identity"}  # the sha256 is that of the bytes as they are stored
    if not have:
        return plain
    # without an ETag of this call, the sha256 finds out whether the parts belong together
    return {**plain, "Range": f"bytes={have}-", **({"If-Range": etag} if etag else {})}


def _strong(answer: Answer) -> str:
    etag = answer.headers.get("etag", "")
    return "" if etag.startswith("W/") else etag


def saved(job: Job, name: str, path: Path, retry: Retry, counter: Counter | None = None) -> Flow[Path]:
    """Save the file `name` of a job."""

    def fresh() -> Flow[str]:
        again: Job = yield from calls.job(job.id, retry)
        return again.files[name].url if name in again.files else job.files[name].url

    file = job.files[name]
    return (yield from downloaded(file.url, path, file.sha256, retry, fresh, counter))
