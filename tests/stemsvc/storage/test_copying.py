"""What clients send is copied whole, by the kernel or without it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, cast

import pytest

from stemsvc.storage.copying import SMALL, copy

SIZES = (0, 1, SMALL - 1, SMALL, SMALL + 1, 2 * SMALL, 5 * SMALL + 7)


class Dripping(io.RawIOBase):
    """A body of which a few bytes come at a time."""

    def __init__(self, data: bytes) -> None:
        self._left = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._left.read(min(size, 10_007))


def copied(data: Any, path: Path) -> bytes:
    with path.open("w+b") as target:
        copy(data, target)
        target.flush()
        assert target.tell() == path.stat().st_size
    return path.read_bytes()


@pytest.mark.parametrize("size", SIZES)
def test_a_file_a_spooled_one_and_a_body_are_copied_whole(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "sent").write_bytes(data)
    with SpooledTemporaryFile(max_size=SMALL) as spooled:
        spooled.write(data)
        spooled.seek(0)
        assert copied(spooled, tmp_path / "spooled") == data
        assert cast(Any, spooled)._rolled == (size > SMALL)
    with (tmp_path / "sent").open("rb") as file:
        assert copied(file, tmp_path / "file") == data
    assert copied(io.BytesIO(data), tmp_path / "memory") == data
    assert copied(Dripping(data), tmp_path / "body") == data


def test_only_the_rest_of_a_file_is_copied(tmp_path: Path) -> None:
    data = os.urandom(4 * SMALL)
    (tmp_path / "sent").write_bytes(data)
    with (tmp_path / "sent").open("rb") as file:
        file.seek(100)
        assert copied(file, tmp_path / "rest") == data[100:]
        assert file.tell() == len(data)


def test_where_the_kernel_can_t_it_is_copied_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sendfile", refuse)
    data = os.urandom(4 * SMALL)
    (tmp_path / "sent").write_bytes(data)
    with (tmp_path / "sent").open("rb") as file:
        assert copied(file, tmp_path / "copy") == data
