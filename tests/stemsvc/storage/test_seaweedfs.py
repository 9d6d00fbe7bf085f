"""S3's corners on servers that keep files: SeaweedFS, which compose runs, and rclone beside it."""

from __future__ import annotations

import io
import json
import secrets
import socket
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from stemsvc.cli.bucket_checks import check_pages, check_rights
from stemsvc.cli.main import main
from stemsvc.errors import StemsvcError
from stemsvc.settings import Settings
from stemsvc.storage.s3 import S3Storage
from tests.conftest import ACCESS_KEY, SECRET_KEY, s3_storage
from tests.stemsvc.storage.test_s3_options import opened, settings_of

pytestmark = pytest.mark.long
PAGE = "https://music.example.org"
PART = 5 << 20  # bytes: the least that S3 takes for a part that is not the last


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def bucket(seaweedfs_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Settings of a bucket on SeaweedFS that is not there yet; returns its name."""
    name = f"made-{secrets.token_hex(4)}"
    for setting, value in (
        ("STORAGE", "s3"),
        ("S3_ENDPOINT_URL", seaweedfs_endpoint),
        ("S3_BUCKET", name),
        ("S3_REGION", "us-east-1"),
        ("S3_PREFIX", "music/"),
        ("S3_ACCESS_KEY_ID", ACCESS_KEY),
        ("S3_SECRET_ACCESS_KEY", SECRET_KEY),
        ("PUBLIC_URL", f"{PAGE}/stems"),
    ):
        monkeypatch.setenv(f"STEMSVC_{setting}", value)
    return name


def test_a_bucket_is_made_on_request_and_a_browser_may_use_it_once_it_is_told(
    bucket: str, seaweedfs_endpoint: str
) -> None:
    with pytest.raises(StemsvcError) as missing:
        check_rights(Settings())
    assert missing.value.code == "storage_missing"
    assert "is made" in run("storage", "create").stdout
    assert "is there already" in run("storage", "create").stdout
    assert "can be listed" in check_rights(Settings())

    applied = run("storage", "cors", "--apply")
    assert applied.exit_code == 0, applied.output
    assert f"{PAGE} may send and read" in check_pages(Settings())
    with pytest.raises(StemsvcError) as other:
        check_pages(Settings(public_url="https://elsewhere.example.org"))
    assert other.value.code == "cors_missing"

    for _ in range(2):  # a second time changes nothing
        applied = run("storage", "lifecycle", "--apply")
        assert applied.exit_code == 0, applied.output
    client = s3_storage(seaweedfs_endpoint, bucket).client()
    rules = {rule["ID"]: rule for rule in client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
    assert set(rules) == {"stemsvc-uploads", "stemsvc-unfinished"}
    assert rules["stemsvc-uploads"]["Expiration"]["Days"] == 2
    assert rules["stemsvc-unfinished"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 2


def test_classes_encryption_and_tags_are_kept_however_objects_come(seaweedfs_endpoint: str) -> None:
    told: dict[str, Any] = {"s3_storage_class": "STANDARD_IA", "s3_tags": "team=a b,x=1", "s3_prefix": "corners/"}
    storage = opened(settings_of(seaweedfs_endpoint, s3_encryption="AES256", **told))
    storage.put("jobs/a", io.BytesIO(b"hello"), "audio/flac")
    storage.put("jobs/large", io.BytesIO(bytes(17 << 20)), "audio/flac")
    storage.copy("jobs/a", "jobs/b")
    sent = storage.signed_put("uploads/u/file", 60, 10, bytes=4)
    assert httpx.put(sent.url, content=b"song", headers=sent.headers).status_code == 200

    begun = storage.begin("uploads/u/parted")
    for number, data in ((2, b"end"), (1, bytes(PART))):
        part = storage.signed_part("uploads/u/parted", begun, number, 60, len(data))
        assert httpx.put(part.url, content=data, headers=part.headers, timeout=60).status_code == 200
    storage.join("uploads/u/parted", begun, [PART, 3])

    client = storage.client()
    for key in ("jobs/a", "jobs/large", "jobs/b", "uploads/u/file", "uploads/u/parted"):
        head = client.head_object(Bucket="stems", Key=f"corners/{key}")
        assert (head.get("StorageClass"), head.get("ServerSideEncryption")) == ("STANDARD_IA", "AES256"), key
        tags = client.get_object_tagging(Bucket="stems", Key=f"corners/{key}")["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "a b", "x": "1"}, key
    assert storage.read("jobs/large", (17 << 20) - 3, 3) == bytes(3)
    assert storage.read("jobs/b", 0, 5) == b"hello"
    assert storage.read("uploads/u/parted", PART - 1, 9) == b"\0end"
    assert storage.delete("") == 5


@pytest.fixture
def named_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names under `localhost` lead here, as systemd's resolver has it; not every machine's resolver does."""
    real = socket.getaddrinfo

    def found(host: Any, *arguments: Any, **more: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith("localhost") else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize("addressing", ["path", "virtual"])
def test_the_bucket_is_in_the_path_or_in_the_hosts_name(
    seaweedfs_endpoint: str, named_hosts: None, addressing: str
) -> None:
    port = seaweedfs_endpoint.rpartition(":")[2]
    storage = opened(settings_of(f"http://s3.localhost:{port}", s3_addressing=addressing))
    storage.put(f"jobs/{addressing}", io.BytesIO(b"hello"), "audio/flac")
    url = storage.signed_url(f"jobs/{addressing}", 60, "a.flac", "audio/flac")

    assert url.startswith(f"http://{'stems.' if addressing == 'virtual' else ''}s3.localhost:{port}/")
    assert httpx.get(url, trust_env=False).content == b"hello"
    assert s3_storage(seaweedfs_endpoint, "stems").read(f"jobs/{addressing}", 0, 5) == b"hello"
    assert storage.delete(f"jobs/{addressing}") == 1


@pytest.fixture(params=["seaweedfs", "rclone"])
def endpoint(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_endpoint"))


def test_a_link_is_for_get_alone_and_a_range_tells_the_size(endpoint: str) -> None:
    storage = s3_storage(endpoint, "stems")
    storage.put("jobs/h", io.BytesIO(b"hello"), "audio/flac")
    url = storage.signed_url("jobs/h", 60, "a.flac", "audio/flac")

    assert httpx.get(url).content == b"hello"
    first = httpx.get(url, headers={"Range": "bytes=0-0"})
    assert (first.content, first.headers["content-range"]) == (b"h", "bytes 0-0/5")
    assert httpx.head(url).status_code == 403
    storage.delete("jobs/h")


def begun(storage: S3Storage, key: str) -> str:
    client = storage.client()
    upload = client.create_multipart_upload(Bucket="stems", Key=key)["UploadId"]
    client.upload_part(Bucket="stems", Key=key, UploadId=upload, PartNumber=1, Body=bytes(PART))
    return upload


def unfinished(storage: S3Storage) -> list[str]:
    return [each["Key"] for each in storage.client().list_multipart_uploads(Bucket="stems").get("Uploads", [])]


def test_unfinished_uploads_in_parts_are_aborted_once_they_are_old(seaweedfs_endpoint: str) -> None:
    def storage(seconds: float) -> S3Storage:
        return S3Storage("stems", seaweedfs_endpoint, None, "us-east-1", ACCESS_KEY, SECRET_KEY, draft_seconds=seconds)

    young, old = storage(86400), storage(0)
    begun(young, "uploads/one/file")
    begun(young, "jobs/j/attempt-1/vocals.flac")
    begun(young, "theirs/file")

    assert young.clear_drafts(("jobs/", "uploads/")) == 0
    assert len(unfinished(young)) == 3
    assert old.clear_drafts(("jobs/", "uploads/")) == 2
    assert unfinished(young) == ["theirs/file"]

    begun(young, "jobs/k/attempt-1/vocals.flac")
    young.delete("jobs/k/")  # who erases a job erases what it had begun
    assert unfinished(young) == ["theirs/file"]
    old.clear_drafts(("theirs/",))
    assert unfinished(young) == []


def test_a_server_that_has_no_rules_says_so(rclone_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting, value in (
        ("STORAGE", "s3"),
        ("S3_ENDPOINT_URL", rclone_endpoint),
        ("S3_BUCKET", "stems"),
        ("S3_REGION", "us-east-1"),
        ("S3_ACCESS_KEY_ID", ACCESS_KEY),
        ("S3_SECRET_ACCESS_KEY", SECRET_KEY),
    ):
        monkeypatch.setenv(f"STEMSVC_{setting}", value)
    for command in ("cors", "lifecycle"):
        refused = run("storage", command, "--apply")
        assert refused.exit_code == 1
        assert refused.stderr.startswith("stemsvc: storage_"), refused.output
        assert json.loads(run("storage", command).stdout)  # what to set by other means
