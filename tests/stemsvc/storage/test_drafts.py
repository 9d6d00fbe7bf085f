"""Drafts in a folder: whose they are, and which of them may go."""

from __future__ import annotations

import fcntl
import io
import os
import threading
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from stemsvc.errors import ObjectMissing, StorageUnavailable
from stemsvc.storage import drafts
from stemsvc.storage.local import LocalStorage


class Halting(io.RawIOBase):
    """Data that halts after its first part until it is told to go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._parts = [b"first ", b"last"]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if len(self._parts) == 1:
            self.begun.set()
            assert self.go_on.wait(30)
        return self._parts.pop(0) if self._parts else b""


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "objects", b"key", draft_seconds=0)


def left(storage: LocalStorage) -> list[str]:
    """Every file and folder there is."""
    return sorted(path.relative_to(storage._root).as_posix() for path in storage._root.rglob("*"))


def abandoned(storage: LocalStorage, name: str) -> Path:
    """A draft without a writer."""
    path = storage._root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half a song")
    return path


def test_a_draft_tells_where_it_will_be() -> None:
    target = Path("/objects/jobs/1/näme " + "x" * 240)
    draft = drafts._draft_of(target)

    assert len(draft.name.encode()) <= 255
    assert target.name.startswith(drafts.target_name(draft.name))
    assert drafts.target_name("vocals.flac") == "vocals.flac"
    assert drafts.target_name(drafts._draft_of(Path("a/vocals.flac")).name) == "vocals.flac"
    assert drafts.target_name(".part-x1y2z3_8") == ""


def test_a_prefix_takes_the_drafts_below_it_and_no_others(storage: LocalStorage) -> None:
    names = ["jobs/1/.part-input.0", "jobs/1/attempt-1/.part-vocals.flac.0", "jobs/1/.part-x1y2z3_8"]
    others = [abandoned(storage, name) for name in ("jobs/12/.part-input.0", "jobs/.part-1.0", ".part-x1y2z3_8")]
    for name in names:
        abandoned(storage, name)
    assert storage.delete("jobs/1/") == 0
    assert {path for path in storage._root.rglob("*") if path.is_file()} == set(others)

    abandoned(storage, "jobs/1/.part-input.0")
    kept = abandoned(storage, "jobs/1/.part-other.0")
    storage.delete("jobs/1/input")
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    storage.delete("")
    assert left(storage) == []


@pytest.mark.parametrize("place", ["", "jobs/1/", "uploads/2/"])
def test_a_draft_without_a_writer_goes_wherever_it_lies(storage: LocalStorage, place: str) -> None:
    abandoned(storage, f"{place}.part-file.0")
    abandoned(storage, f"{place}.part-x1y2z3_8")
    young = LocalStorage(storage._root, b"key", draft_seconds=600)
    assert young.clear_drafts(()) == 0

    assert storage.clear_drafts(()) == 2
    assert left(storage) == []


def test_a_writer_that_lives_keeps_its_draft_however_old_it_is(storage: LocalStorage) -> None:
    data = Halting()
    writer = threading.Thread(target=storage.put, args=("jobs/1/input", data, "audio/flac"))
    writer.start()
    assert data.begun.wait(30)
    (draft,) = (path for path in storage._root.rglob("*") if drafts.is_draft(path))
    assert (storage.keys(""), storage.clear_drafts(())) == ([], 0)
    data.go_on.set()
    writer.join(30)

    assert not draft.exists()
    assert storage.sizes("") == {"jobs/1/input": 10}


def test_a_writer_whose_prefix_was_deleted_is_told_so_and_leaves_nothing(storage: LocalStorage) -> None:
    data, caught = Halting(), []

    def write() -> None:
        try:
            storage.put("jobs/1/input", cast(BinaryIO, data), "audio/flac")
        except StorageUnavailable as error:
            caught.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    assert data.begun.wait(30)
    storage.delete("jobs/1/")
    data.go_on.set()
    writer.join(30)

    assert len(caught) == 1
    assert left(storage) == []


def test_a_copy_leaves_no_draft(storage: LocalStorage) -> None:
    storage.put("a/1", io.BytesIO(b"song"), "audio/flac")
    for target in ("b/2", "b/2", "a/1"):
        storage.copy("a/1", target)
    with pytest.raises(ObjectMissing):
        storage.copy("a/none", "c/3")
    storage.delete("c/")

    assert storage.sizes("") == {"a/1": 4, "b/2": 4}
    assert [name for name in left(storage) if ".part-" in name] == []


def test_a_file_system_without_links_and_locks_serves_too(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "not supported")

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(fcntl, "flock", refused)
    storage.put("a/1", io.BytesIO(b"song"), "audio/flac")
    storage.copy("a/1", "b/2")
    assert storage.sizes("") == {"a/1": 4, "b/2": 4}

    # nobody can tell whether its writer lives: it stays for a day
    draft = abandoned(storage, "jobs/1/.part-input.0")
    assert storage.clear_drafts(()) == 0
    monkeypatch.setattr(drafts, "UNLOCKABLE_SECONDS", 0.0)
    assert storage.clear_drafts(()) == 1
    assert not draft.exists()


def test_a_folder_that_vanishes_while_it_is_listed_is_no_error(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        storage.put(f"jobs/{number}/input", io.BytesIO(b"song"), "audio/flac")
    scandir = os.scandir

    def racing(path: str) -> object:
        if str(path).endswith("/1"):
            (Path(path) / "input").unlink()
            Path(path).rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", racing)
    assert storage.keys("jobs/") == ["jobs/0/input", "jobs/2/input"]
