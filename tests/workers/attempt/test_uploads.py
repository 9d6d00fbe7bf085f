"""A job's files are uploaded some at a time, and a failure leaves no upload running."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stemsvc.errors import StorageDenied
from workers.attempt.attempt import Attempt
from workers.attempt.files import UPLOADS, Files
from workers.kinds.base import MadeFile


class Storage:
    """Counts the puts that are at work; each waits until `together` of them are."""

    def __init__(self, together: int, broken: str = "") -> None:
        self.met = threading.Barrier(together, timeout=30)
        self.broken = broken
        self.begun: list[str] = []
        self.at_work = 0
        self._guard = threading.Lock()

    def put(self, key: str, data: Any, content_type: str) -> int:
        with self._guard:
            self.begun.append(key)
            self.at_work += 1
        try:
            self.met.wait()
            if self.broken and key.endswith(self.broken):
                raise StorageDenied("no")
            return len(data.read())
        finally:
            with self._guard:
                self.at_work -= 1


def uploaded(folder: Path, storage: Storage, count: int) -> tuple[dict[str, Any], list[str]]:
    files = {}
    for number in range(count):
        path = folder / f"{number}.flac"
        path.write_bytes(bytes(number))
        files[str(number)] = MadeFile(path, "audio/flac")
    reported: list[str] = []
    attempt = SimpleNamespace(lease=SimpleNamespace(prefix="jobs/1/1"), report=reported.append)
    moving = Files(folder, cast(Any, None), cast(Any, storage), lambda act: act())
    return moving._all_kept(files, cast(Attempt, attempt)), reported


def test_files_go_side_by_side_and_keep_their_order(tmp_path: Path) -> None:
    storage = Storage(together=UPLOADS)

    kept, reported = uploaded(tmp_path, storage, 2 * UPLOADS)

    assert list(kept) == [str(number) for number in range(2 * UPLOADS)]
    assert [each["bytes"] for each in kept.values()] == list(range(2 * UPLOADS))
    assert reported == ["uploading"] * 2 * UPLOADS


def test_after_a_failure_no_upload_goes_on(tmp_path: Path) -> None:
    storage = Storage(together=1, broken="/0.flac")

    with pytest.raises(StorageDenied):
        uploaded(tmp_path, storage, 50)

    assert storage.begun
    assert storage.at_work == 0
