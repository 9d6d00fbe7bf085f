"""Announcing uploads: what a storage can't refuse counts before it comes."""

from __future__ import annotations

import io

import httpx
import pytest

from stemsvc.control import uploads as uploads_module
from stemsvc.control.uploads import ClientUploads
from stemsvc.errors import TransientError, UsageError
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.uploads import Upload
from stemsvc.settings import Settings
from stemsvc.storage import Storage
from stemsvc.storage.parts import part_key
from tests.conftest import s3_storage
from tests.stemsvc.conftest import sqlite_of


@pytest.fixture
def url(settings: Settings) -> str:
    return sqlite_of(settings)


@pytest.fixture
def bounded(url: str, store: JobStore) -> JobStore:
    """A store of which every client may use 100 bytes."""
    return JobStore(url, max_stored_bytes=100)


def announced(store: JobStore, storage: Storage, max_bytes: int, bytes: int | None = None) -> int:
    return ClientUploads(store.uploads, storage, 0).announce("song", max_bytes, "me", 60.0, 10, bytes).bytes


def test_an_upload_that_comes_to_the_api_counts_when_it_comes(bounded: JobStore, storage: Storage) -> None:
    assert [announced(bounded, storage, 60) for _ in range(3)] == [0, 0, 0]
    assert announced(bounded, storage, 60, 60) == 60
    with pytest.raises(TransientError):
        announced(bounded, storage, 60, 41)
    bounded.close()


@pytest.mark.parametrize("kind", ["local", "rclone"])
def test_an_upload_in_parts_goes_on_with_those_that_lack(
    store: JobStore, storage: Storage, kind: str, request: pytest.FixtureRequest
) -> None:
    # given parts that go to a bucket, or to the api
    place = storage if kind == "local" else s3_storage(request.getfixturevalue("rclone_endpoint"), "stems")
    uploads = ClientUploads(store.uploads, place, 0)
    size = uploads_module.PART_BYTES + 5

    def asked() -> Upload:
        return uploads.announce("song", 1 << 30, "me", 60.0, 10, size, "key", parts=True)

    first = asked()
    assert [(part.number, part.bytes) for part in uploads.lacking(first, 60)] == [(1, size - 5), (2, 5)]
    send(place, uploads, first, 2, b"small")
    again = asked()
    assert (again.id, again.begun != "") == (first.id, True)
    assert [part.number for part in uploads.lacking(again, 60)] == [1]
    with pytest.raises(UsageError) as lacking:
        uploads.ready(first.id, "me")
    assert lacking.value.code == "upload_incomplete"

    # when the last one is there, then it is one file
    send(place, uploads, again, 1, bytes(size - 5))
    assert uploads.lacking(asked(), 60) == []
    found = uploads.ready(first.id, "me")
    assert found.place(place, "jobs/a/input") == size
    assert place.read("jobs/a/input", size - 6, 6) == b"\0small"
    uploads.erase(first.id, "me")
    assert place.keys("uploads/") == []
    place.delete("jobs/")


def send(storage: Storage, uploads: ClientUploads, upload: Upload, number: int, data: bytes) -> None:
    (part,) = [each for each in uploads.lacking(upload, 60) if each.number == number]
    if storage.receives:
        key = part_key(upload.key, number)
        uploads.receive(key, len(data), lambda: storage.put(key, io.BytesIO(data), "application/octet-stream"))
    else:
        sent = httpx.put(part.place.url, content=data, headers=part.place.headers, timeout=60)
        assert sent.status_code == 200


def test_an_upload_that_goes_to_a_bucket_counts_with_all_that_may_come(bounded: JobStore) -> None:
    bucket = s3_storage("http://127.0.0.1:9", "stems")
    assert announced(bounded, bucket, 60) == 60
    with pytest.raises(TransientError) as full:
        announced(bounded, bucket, 60)
    assert full.value.code == "key_storage_full"
    assert announced(bounded, bucket, 60, 40) == 40

    with pytest.raises(UsageError) as caught:
        announced(bounded, bucket, 101)
    assert caught.value.code == "file_too_large"
    assert caught.value.detail.endswith("announce the size in `bytes`")
    bounded.close()
