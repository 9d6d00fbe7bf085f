"""One contract over every object storage: the local folder behind the api, rclone's S3, moto's S3."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from werkzeug.serving import make_server

from api.app import create_app
from stemsvc.embedded.redis_server import free_port
from stemsvc.errors import StemsvcError, TransientError
from stemsvc.settings import Settings
from stemsvc.storage import Storage, open_storage
from stemsvc.storage.local import LocalStorage
from tests.conftest import ACCESS_KEY, SECRET_KEY, s3_storage

PREFIX = "jobs/contract/"


@dataclass(frozen=True)
class Subject:
    """One storage under test, with its wrong brothers."""

    storage: Storage
    missing: Storage  # of a bucket or folder that is not there
    denied: Storage | None  # with credentials that are wrong; None where the server checks none


@pytest.fixture(params=["local", "rclone", "moto"])
def subject(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Subject]:
    if request.param == "local":
        yield from _local(settings)
        return
    endpoint = request.getfixturevalue(f"{request.param}_endpoint")
    # moto checks no signatures
    denied = s3_storage(endpoint, "stems", "wrong") if request.param == "rclone" else None
    subject = Subject(s3_storage(endpoint, "stems"), s3_storage(endpoint, "nowhere"), denied)
    yield subject
    subject.storage.delete(PREFIX)


def _local(settings: Settings) -> Iterator[Subject]:
    port = free_port()
    settings = settings.model_copy(update={"public_url": f"http://127.0.0.1:{port}"})
    server = make_server("127.0.0.1", port, create_app(settings))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    storage = open_storage(settings)
    storage.check()
    blocked = settings.data_dir / "a-file"
    blocked.touch()
    yield Subject(storage, LocalStorage(blocked / "objects", b"key"), LocalStorage(Path("/proc/1/none"), b"key"))
    server.shutdown()
    thread.join()
    server.server_close()


# moto checks no signature, expiry or credentials, so on it these tests could not fail
VERIFYING = pytest.mark.parametrize("subject", ["local", "rclone"], indirect=True)


def put(storage: Storage, key: str, data: bytes) -> int:
    return storage.put(PREFIX + key, io.BytesIO(data), "audio/flac")


def url_of(storage: Storage, key: str, seconds: int = 60, filename: str = "song - vocals.flac") -> str:
    return storage.signed_url(PREFIX + key, seconds, filename, "audio/flac")


def test_what_is_put_can_be_fetched(subject: Subject, tmp_path: Path) -> None:
    assert put(subject.storage, "a.flac", b"hello") == 5
    subject.storage.fetch(PREFIX + "a.flac", tmp_path / "back")

    assert (tmp_path / "back").read_bytes() == b"hello"


def test_a_second_put_replaces_the_first(subject: Subject, tmp_path: Path) -> None:
    put(subject.storage, "a.flac", b"first, and longer")
    put(subject.storage, "a.flac", b"second")
    subject.storage.fetch(PREFIX + "a.flac", tmp_path / "back")

    assert (tmp_path / "back").read_bytes() == b"second"


def test_a_large_object_goes_up_in_parts(subject: Subject) -> None:
    data = os.urandom(36 * 1024 * 1024 + 17)
    assert put(subject.storage, "large", data) == len(data)

    assert httpx.get(url_of(subject.storage, "large"), timeout=60).content == data


def test_a_signed_url_downloads_under_the_name_it_was_given(subject: Subject) -> None:
    put(subject.storage, "a.flac", b"hello")
    answer = httpx.get(url_of(subject.storage, "a.flac", filename="söng - vocals.flac"))

    assert (answer.status_code, answer.content) == (200, b"hello")
    assert answer.headers["content-type"] == "audio/flac"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment")
    assert "s%C3%B6ng%20-%20vocals.flac" in disposition


def test_a_signed_url_answers_ranges(subject: Subject) -> None:
    put(subject.storage, "a.flac", b"0123456789")
    answer = httpx.get(url_of(subject.storage, "a.flac"), headers={"Range": "bytes=2-4"})

    assert answer.status_code in (200, 206)  # rclone sends the range, but calls it 200
    assert answer.content == b"234"


@VERIFYING
def test_a_url_expires(subject: Subject) -> None:
    put(subject.storage, "a.flac", b"hello")
    url = url_of(subject.storage, "a.flac", seconds=3)
    assert httpx.get(url).status_code == 200

    wait_until_refused(lambda: httpx.get(url).status_code)


def wait_until_refused(status: Callable[[], int]) -> None:
    from tests.processes import wait_for

    wait_for("the URL to expire", lambda: status() in (400, 403), 10)


@VERIFYING
def test_a_tampered_url_is_refused(subject: Subject) -> None:
    put(subject.storage, "a.flac", b"hello")
    put(subject.storage, "b.flac", b"secret")
    url = url_of(subject.storage, "a.flac")
    parts = httpx.URL(url)
    name = next(name for name in parts.params if name.lower().endswith("signature"))
    flipped = parts.params[name][:-1] + ("0" if parts.params[name][-1] != "0" else "1")

    assert httpx.get(parts.copy_set_param(name, flipped)).status_code == 403
    assert httpx.get(url.replace("a.flac?", "b.flac?")).status_code == 403
    assert httpx.get(parts.copy_with(query=None)).status_code in (400, 403)


def test_delete_removes_what_starts_with_the_prefix_and_nothing_else(subject: Subject, tmp_path: Path) -> None:
    for key in ("x/1", "x/2", "y/1"):
        put(subject.storage, key, b"data")

    assert subject.storage.delete(PREFIX + "x/") == 2
    assert subject.storage.keys(PREFIX) == [PREFIX + "y/1"]
    assert subject.storage.delete(PREFIX + "x/") == 0
    with pytest.raises(StemsvcError) as caught:
        subject.storage.fetch(PREFIX + "x/1", tmp_path / "back")
    assert caught.value.code == "object_missing"


def test_a_missing_bucket_is_a_clear_error(subject: Subject) -> None:
    for act in (lambda: put(subject.missing, "a", b"data"), subject.missing.check):
        with pytest.raises(StemsvcError) as caught:
            act()
        assert caught.value.code in ("storage_missing", "storage_unavailable")


@VERIFYING
def test_wrong_credentials_are_a_clear_error(subject: Subject) -> None:
    assert subject.denied is not None
    with pytest.raises(StemsvcError) as caught:
        put(subject.denied, "a", b"data")
    assert caught.value.code in ("storage_denied", "object_missing")


def test_an_upload_that_breaks_off_leaves_nothing(subject: Subject) -> None:
    class Broken(io.RawIOBase):
        def __init__(self) -> None:
            self.sent = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            self.sent += 1
            if self.sent > 3:
                raise OSError(5, "the client went away")
            return 1

    with pytest.raises((StemsvcError, OSError)):
        subject.storage.put(PREFIX + "broken", Broken(), "audio/flac")  # type: ignore[arg-type]
    assert subject.storage.keys(PREFIX) == []


def test_an_endpoint_that_does_not_answer_is_transient() -> None:
    storage = s3_storage(f"http://127.0.0.1:{free_port()}", "stems")
    with pytest.raises(TransientError) as caught:
        storage.check()
    assert caught.value.code == "storage_unavailable"


def test_a_local_key_can_not_leave_the_folder(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path, b"key")
    for key in ("../x", "a/../../x", "a//b", "a/./b", "/etc/passwd", "a\0b", "..\\x"):
        with pytest.raises(StemsvcError):
            storage.put(key, io.BytesIO(b"x"), "audio/flac")


def test_settings_choose_the_storage(settings: Settings, rclone_endpoint: str) -> None:
    changes = {
        "storage": "s3",
        "s3_endpoint_url": rclone_endpoint,
        "s3_bucket": "stems",
        "s3_access_key_id": ACCESS_KEY,
    }
    chosen = Settings(**{**settings.model_dump(), **changes, "s3_secret_access_key": SECRET_KEY})

    open_storage(chosen).check()


def test_a_full_disk_is_told_apart_by_whose_it_is(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "objects", b"key")
    storage.put("a", io.BytesIO(b"data"), "audio/flac")
    storage.check_room(1)
    with pytest.raises(TransientError) as caught:
        storage.check_room(1 << 60)
    assert caught.value.code == "storage_full"

    if Path("/dev/full").exists():
        with pytest.raises(TransientError) as caught:
            storage.fetch("a", Path("/dev/full"))
        assert caught.value.code == "scratch_full"
