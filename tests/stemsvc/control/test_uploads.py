"""Announcing uploads: what a storage can't refuse counts before it comes."""

from __future__ import annotations

import pytest

from stemsvc.control.uploads import ClientUploads
from stemsvc.errors import TransientError, UsageError
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from stemsvc.storage import Storage
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
