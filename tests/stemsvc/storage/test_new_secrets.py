"""What a storage does when the secrets that it was opened with change."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from stemsvc import storage
from stemsvc.errors import StorageDenied, UrlInvalid
from stemsvc.host import secret_files
from stemsvc.settings import Settings
from stemsvc.storage import Storage, open_signer, open_storage
from stemsvc.storage.signing import SignedQuery
from tests.conftest import ACCESS_KEY, SECRET_KEY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEMSVC_SECRETS_DIR", str(tmp_path))
    monkeypatch.setattr(secret_files, "LOOK_SECONDS", 0.0)
    return tmp_path


def stored(where: Storage) -> int:
    return where.put("new-secrets/a", io.BytesIO(b"hello"), "text/plain")


def test_the_next_call_to_s3_takes_new_keys(folder: Path, rclone_endpoint: str) -> None:
    (folder / "s3-access-key-id").write_text(ACCESS_KEY)
    (folder / "s3-secret-access-key").write_text("not the secret")
    s3 = open_storage(Settings(storage="s3", s3_endpoint_url=rclone_endpoint, s3_bucket="stems", s3_region="us-east-1"))
    with pytest.raises(StorageDenied):
        stored(s3)
    (folder / "s3-secret-access-key").write_text(SECRET_KEY)

    assert stored(s3) == 5
    assert s3.delete("new-secrets/") == 1


def test_urls_of_the_old_key_work_for_a_while(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (folder / "storage_secret").write_text("one")
    settings = Settings(data_dir=tmp_path / "data")
    signer = open_signer(settings)
    url = signer.archive_url("a", 600)
    expires, signature = (int(url.split("expires=")[1].split("&")[0]), url.split("signature=")[1])
    (folder / "storage_secret").write_text("two")

    signer.check_archive("a", expires, signature)
    assert signer.archive_url("a", 600) != url
    fresh = open_signer(Settings(data_dir=tmp_path / "data"))
    new = fresh.archive_url("a", 600)
    signer.check_archive("a", int(new.split("expires=")[1].split("&")[0]), new.split("signature=")[1])
    with pytest.raises(UrlInvalid):  # a process that never had the old key
        fresh.check_archive("a", expires, signature)

    monkeypatch.setattr(storage, "monotonic", lambda: float("inf"))
    with pytest.raises(UrlInvalid):
        signer.check_archive("a", expires, signature)
    with pytest.raises(UrlInvalid):
        signer.check_get("a", SignedQuery(expires, "a", "b", signature))
