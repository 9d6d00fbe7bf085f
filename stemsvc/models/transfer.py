"""Downloads a file's bytes: huggingface_hub for the hub's files, pooch for URLs. It resumes where it broke off."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from stemsvc.errors import (
    RevisionGone,
    StemsvcError,
    WeightsDenied,
    WeightsMissing,
    WeightsNotFound,
    WeightsUnavailable,
)
from stemsvc.host.folders import share
from stemsvc.models.source import DataFile, WeightFile

CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 30.0
CHUNK = 1 << 16  # the most bytes that are lost where a connection breaks
HUB_TOKEN_ADVICE = "set HF_TOKEN to a token that may read it"  # nosec B105

# Called with the bytes that are here and the bytes of the whole file (None: not known).
OnBytes = Callable[[int, int | None], None]


class Damaged(Exception):
    """Raised when more or other bytes came than the catalog says."""


@dataclass(frozen=True)
class Seen:
    """The hub's metadata of a file."""

    commit: str | None
    sha256: str | None  # None for small files: the hub keeps no such hash of them
    size: int | None


class _Part(io.RawIOBase):
    """The file that a download writes into. It counts the bytes, and refuses more than were announced."""

    def __init__(self, path: Path, size: int | None, on_bytes: OnBytes) -> None:
        super().__init__()
        fresh = not path.exists()
        self._file = path.open("w+b" if fresh else "r+b")
        if fresh:  # another user of a shared cache may go on with it
            share(path)
        self._at = self._file.seek(0, os.SEEK_END)
        self._size = size
        self._on_bytes = on_bytes

    def write(self, data: Any) -> int:
        self._at += len(data)
        if self._size is not None and self._at > self._size:
            raise Damaged(f"more than the expected {self._size} bytes came")
        self._on_bytes(self._at, self._size)
        return self._file.write(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = self._file.seek(offset, whence)
        return self._at

    def tell(self) -> int:
        return self._at

    def truncate(self, size: int | None = None) -> int:
        return self._file.truncate(size)

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def restart(self) -> None:
        """Drop the bytes that came before."""
        if self._at:
            self.seek(0)
            self.truncate(0)

    def close(self) -> None:
        self._file.close()
        super().close()


def look(file: WeightFile) -> Seen:
    """Ask the hub for a file's commit, hash and size. Raises as `download` does."""
    from huggingface_hub import get_hf_file_metadata

    _tame_hub()
    with _hub_errors(file):
        found = get_hf_file_metadata(_hub_url(file), timeout=CONNECT_SECONDS)
    etag = found.etag or ""
    return Seen(found.commit_hash, etag if len(etag) == 64 else None, found.size)


def published(hub: str) -> tuple[str, dict[str, Seen]]:
    """Ask the hub for a repository's newest commit, and for its files by their names. Raises as `download` does."""
    from huggingface_hub import HfApi

    _tame_hub()
    with _hub_errors(DataFile(hub=hub, file="config.json")):
        found = HfApi().model_info(hub, files_metadata=True, timeout=CONNECT_SECONDS)
    commit = found.sha or "main"
    files = {
        each.rfilename: Seen(commit, each.lfs.sha256 if each.lfs else None, each.size) for each in found.siblings or ()
    }
    return commit, files


def download(file: WeightFile, part: Path, size: int | None, on_bytes: OnBytes) -> None:
    """Download the file's bytes into `part`, after those that are already there.

    Raises `TransientError` `weights_unavailable`, `FatalError` `revision_gone`, `weights_not_found`,
    `weights_denied`, `Damaged`; OSError of the disk.
    """
    with contextlib.closing(_Part(part, size, on_bytes)) as target:
        if size is not None and target.tell() >= size:
            if target.tell() == size:  # a process died before it could check the whole file
                return
            target.restart()
        if file.hub:
            _from_hub(file, target, size)
        else:
            _from_url(file, target)
        if size is not None and target.tell() < size:
            raise WeightsUnavailable(f"{file.label} broke off after {target.tell()} of {size} bytes")


def _hub_url(file: WeightFile) -> str:
    from huggingface_hub import hf_hub_url

    assert file.hub is not None
    assert file.file is not None
    return hf_hub_url(file.hub, file.file, revision=file.revision or "main")


def _from_hub(file: WeightFile, target: _Part, size: int | None) -> None:
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    _tame_hub()
    at = target.tell()
    with _hub_errors(file):
        # without retries of its own: the caller's cover every kind of failure, and both would multiply
        http_get(
            _hub_url(file),
            cast(BinaryIO, target),
            resume_size=at,
            headers=build_hf_headers(),
            expected_size=size,
            displayed_filename=file.filename,
            _nb_retries=0,
        )


def _tame_hub() -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # the caller shows its own
    constants.HF_HUB_DISABLE_TELEMETRY = True  # otherwise it asks the hub which agent might be running us
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK  # else 10 MB: a broken connection loses so much, a cancel waits so long


def _from_url(file: WeightFile, target: _Part) -> None:
    import requests
    from pooch import HTTPDownloader

    answers: list[requests.Response] = []  # pooch leaves answers open that it did not read to the end

    def begin(response: requests.Response, *_: Any, **__: Any) -> None:
        answers.append(response)
        if response.status_code == 200:  # the whole file, even where a range was asked for
            target.restart()

    at = target.tell()
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={at}-"} if at else {})
    downloader = HTTPDownloader(
        chunk_size=CHUNK, headers=headers, hooks={"response": begin}, timeout=(CONNECT_SECONDS, SILENCE_SECONDS)
    )
    try:
        downloader(file.url, target, None)
    except requests.HTTPError as error:
        response = cast(requests.Response, error.response)  # raise_for_status gives it one
        raise _refused(file, response.status_code, response.headers.get("Retry-After")) from error
    except requests.RequestException as error:
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
            raise WeightsNotFound(f"{file.label} is not a valid address: {error}") from error
        raise WeightsUnavailable(f"{file.label} did not come: {_words(error)}") from error
    finally:
        for answer in answers:
            answer.close()


@contextlib.contextmanager
def _hub_errors(file: WeightFile) -> Iterator[None]:
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise WeightsMissing(f"{file.label} is not on this machine, and HF_HUB_OFFLINE is set") from error
    except errors.RevisionNotFoundError as error:
        raise RevisionGone(f"{file.hub} has no revision {file.revision} any more") from error
    except errors.GatedRepoError as error:
        raise WeightsDenied(f"{file.label} is gated: accept its terms and {HUB_TOKEN_ADVICE}") from error
    except errors.HfHubHTTPError as error:
        response = error.response
        raise _refused(file, response.status_code, response.headers.get("Retry-After")) from error
    except errors.FileMetadataError as error:
        raise WeightsUnavailable(f"{file.label} did not come: {_words(error)}") from error
    except httpx2.HTTPError as error:
        raise WeightsUnavailable(f"{file.label} did not come: {_words(error)}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        # an OSError without a number is how the hub says that the length is wrong: the caller sees in which way


def _refused(file: WeightFile, status: int, retry_after: str | None) -> StemsvcError:
    if status in (408, 425, 429) or status >= 500:
        detail = f"{file.label} did not come: the server answers {status}"
        return WeightsUnavailable(detail, retry_after=_seconds(retry_after))
    if status in (401, 403):
        advice = f": {HUB_TOKEN_ADVICE}, or check that the repository still exists" if file.hub else ""
        return WeightsDenied(f"{file.label} is refused ({status}){advice}")
    if status == 416:  # more bytes are here than there: ours belong to another file
        raise Damaged("the file got shorter")
    return WeightsNotFound(f"{file.label} is not there (the server answers {status})")


def _seconds(retry_after: str | None) -> float | None:
    """The seconds to wait that a `Retry-After` header gives, as a number or a date; None where it gives neither."""
    import datetime

    if not retry_after:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(retry_after))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.datetime.now(datetime.UTC)).total_seconds())
    return None


def _words(error: BaseException) -> str:
    """The error's class and the first line of its text, at most 300 characters."""
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:300]
