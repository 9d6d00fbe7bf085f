"""What the settings say of objects in a bucket, against S3 servers: rclone's, moto's and SeaweedFS."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from stemsvc.cli.bucket_checks import check_pages, check_rights
from stemsvc.cli.main import main
from stemsvc.errors import BadSetting, StemsvcError
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from stemsvc.storage.s3 import S3Storage
from tests.conftest import ACCESS_KEY, SECRET_KEY, s3_storage


def settings_of(endpoint: str, bucket: str = "stems", **more: Any) -> Settings:
    return Settings(
        storage="s3",
        s3_endpoint_url=endpoint,
        s3_bucket=bucket,
        s3_region="us-east-1",
        s3_access_key_id=ACCESS_KEY,
        s3_secret_access_key=SECRET_KEY,
        **more,
    )


@pytest.fixture(params=["rclone", "moto", pytest.param("seaweedfs", marks=pytest.mark.long)])
def endpoint(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_endpoint"))


def opened(settings: Settings) -> S3Storage:
    storage = open_storage(settings)
    assert isinstance(storage, S3Storage)
    return storage


def test_all_keys_lie_under_the_prefix_and_callers_see_none_of_it(endpoint: str, tmp_path: Path) -> None:
    storage, whole = opened(settings_of(endpoint, s3_prefix="music/one")), s3_storage(endpoint, "stems")
    whole.put("jobs/theirs", io.BytesIO(b"another program's"), "text/plain")

    assert storage.put("jobs/a", io.BytesIO(b"hello"), "audio/flac") == 5
    storage.copy("jobs/a", "jobs/b")

    assert storage.sizes("jobs/") == {"jobs/a": 5, "jobs/b": 5}
    assert whole.keys("music/") == ["music/one/jobs/a", "music/one/jobs/b"]
    assert storage.size("jobs/b") == 5
    assert storage.read("jobs/b", 1, 3) == b"ell"
    with storage.open("jobs/a") as file:
        assert file.read() == b"hello"
    storage.fetch("jobs/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"hello"
    assert httpx.get(storage.signed_url("jobs/a", 60, "a.flac", "audio/flac")).content == b"hello"
    sent = storage.signed_put("uploads/u/file", 60, 10)
    assert httpx.put(sent.url, content=b"song", headers=sent.headers).status_code == 200
    assert storage.sizes("uploads/") == {"uploads/u/file": 4}
    assert storage.delete("") == 3
    assert whole.keys("jobs/theirs") == ["jobs/theirs"]
    whole.delete("jobs/theirs")


TOLD = {
    "s3_storage_class": "STANDARD_IA",
    "s3_encryption": "aws:kms",
    "s3_kms_key_id": "a-key",
    "s3_tags": "team=a b,x=1",
}


def facts_of(storage: S3Storage, key: str) -> dict[str, Any]:
    client = storage.client()
    head = client.head_object(Bucket="stems", Key=key)
    tags = client.get_object_tagging(Bucket="stems", Key=key)["TagSet"]
    return {
        "class": head.get("StorageClass"),
        "encryption": (head.get("ServerSideEncryption"), head.get("SSEKMSKeyId")),
        "tags": {tag["Key"]: tag["Value"] for tag in tags},
    }


def test_objects_are_classed_encrypted_and_tagged_however_they_come(moto_endpoint: str) -> None:
    storage = opened(settings_of(moto_endpoint, **TOLD))
    storage.put("jobs/a", io.BytesIO(b"hello"), "audio/flac")
    storage.put("jobs/large", io.BytesIO(bytes(17 * 1024 * 1024)), "audio/flac")
    storage.copy("jobs/a", "jobs/b")
    sent = storage.signed_put("uploads/u/file", 60, 10, bytes=4)
    assert httpx.put(sent.url, content=b"song", headers=sent.headers).status_code == 200

    wanted = {"class": "STANDARD_IA", "encryption": ("aws:kms", "a-key"), "tags": {"team": "a b", "x": "1"}}
    for key in ("jobs/a", "jobs/large", "jobs/b"):
        assert facts_of(storage, key) == wanted, key
    sent_facts = facts_of(storage, "uploads/u/file")
    assert (sent_facts["class"], sent_facts["encryption"][0]) == ("STANDARD_IA", "aws:kms")
    storage.delete("")


def test_a_put_without_the_signed_headers_is_refused(rclone_endpoint: str) -> None:
    storage = opened(settings_of(rclone_endpoint, s3_encryption="AES256"))
    sent = storage.signed_put("uploads/u/file", 60, 10)
    assert sent.headers["x-amz-server-side-encryption"] == "AES256"
    assert httpx.put(sent.url, content=b"song", headers=sent.headers).status_code == 200
    assert httpx.put(sent.url, content=b"song").status_code in (400, 403)
    storage.delete("uploads/")


@pytest.mark.parametrize(
    ("addressing", "endpoint", "url"),
    [
        ("auto", "http://s3.example.org:9000", "http://s3.example.org:9000/stems/jobs/a"),
        ("virtual", "http://s3.example.org:9000", "http://stems.s3.example.org:9000/jobs/a"),
        ("auto", None, "https://stems.s3.amazonaws.com/jobs/a"),
        ("path", None, "https://s3.amazonaws.com/stems/jobs/a"),
    ],
)
def test_buckets_are_in_the_path_or_in_the_name(addressing: str, endpoint: str | None, url: str) -> None:
    storage = opened(settings_of(endpoint or "", s3_addressing=addressing))
    assert storage.signed_url("jobs/a", 60, "a", "audio/flac").partition("?")[0] == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("s3_prefix", "a//b/"),
        ("s3_prefix", "../other"),
        ("s3_prefix", "mu sic/"),
        ("s3_encryption", "AES128"),
        ("s3_tags", "team"),
        ("s3_tags", ",".join(f"t{number}=1" for number in range(11))),
        ("s3_storage_class", "glacier?"),
        ("s3_addressing", "dns"),
    ],
)
def test_what_s3_would_refuse_is_refused_at_once(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name.upper()):
        Settings(**{name: value})


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def at(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Settings of a bucket on moto's server that is not there yet."""
    for name, value in (
        ("STORAGE", "s3"),
        ("S3_ENDPOINT_URL", moto_endpoint),
        ("S3_BUCKET", "made-here"),
        ("S3_REGION", "eu-central-1"),
        ("S3_PREFIX", "music/"),
        ("S3_ACCESS_KEY_ID", ACCESS_KEY),
        ("S3_SECRET_ACCESS_KEY", SECRET_KEY),
        ("PUBLIC_URL", "https://music.example.org/stems"),
    ):
        monkeypatch.setenv(f"STEMSVC_{name}", value)
    return moto_endpoint


def test_a_bucket_is_made_and_given_our_rules_beside_those_of_others(at: str) -> None:
    assert "is made" in run("storage", "create").stdout
    assert "is there already" in run("storage", "create").stdout
    client = s3_storage(at, "made-here").client()
    theirs: Any = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}}
    client.put_bucket_lifecycle_configuration(Bucket="made-here", LifecycleConfiguration={"Rules": [theirs]})

    with pytest.raises(StemsvcError) as missing:
        check_pages(Settings())
    assert missing.value.code == "cors_missing"
    for _ in range(2):  # a second time changes nothing
        assert run("storage", "cors", "--apply").exit_code == 0
        assert run("storage", "lifecycle", "--apply").exit_code == 0

    rules = client.get_bucket_lifecycle_configuration(Bucket="made-here")["Rules"]
    assert [rule["ID"] for rule in rules] == ["theirs", "stemsvc-uploads", "stemsvc-unfinished"]
    assert (rules[1]["Expiration"]["Days"], rules[1]["Filter"]["Prefix"]) == (2, "music/uploads/")
    (cors,) = client.get_bucket_cors(Bucket="made-here")["CORSRules"]
    assert cors["AllowedOrigins"] == ["https://music.example.org"]
    assert "https://music.example.org may send and read" in check_pages(Settings())
    assert "can be listed" in check_rights(Settings())
    with pytest.raises(StemsvcError) as other:
        check_pages(Settings(public_url="https://elsewhere.example.org"))
    assert other.value.code == "cors_missing"


def test_the_policy_allows_what_the_service_does_and_no_more(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_S3_TAGS", "team=audio")
    monkeypatch.setenv("STEMSVC_S3_ENCRYPTION", "aws:kms")
    monkeypatch.setenv("STEMSVC_S3_KMS_KEY_ID", "arn:aws:kms:eu-central-1:1:key/k")
    made = json.loads(run("storage", "policy").stdout)["Statement"]
    objects, listing, key = made

    assert set(objects["Action"]) == {
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:PutObjectTagging",
    }
    assert objects["Resource"][0] == "arn:aws:s3:::made-here/music/jobs/*"
    assert listing["Action"] == ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    assert listing["Condition"]["StringLikeIfExists"]["s3:prefix"][0] == "music/jobs/*"
    assert key["Resource"] == "arn:aws:kms:eu-central-1:1:key/k"


def test_a_folder_has_no_bucket() -> None:
    refused = run("storage", "policy")
    assert (refused.exit_code, "bad_setting" in refused.stderr) == (2, True)
