"""One contract over every object storage: the local folder behind the api, rclone's S3, moto's S3."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from werkzeug.serving import make_server

from api.app import create_app
from stemsvc.embedded.ports import free_port
from stemsvc.errors import StemsvcError, TransientError, UsageError
from stemsvc.settings import Settings
from stemsvc.storage import Storage, drafts, open_storage
from stemsvc.storage.local import LocalStorage
from stemsvc.storage.s3 import S3Storage
from stemsvc.storage.signing import ROUTE, SignedUpload
from tests.conftest import ACCESS_KEY, SECRET_KEY, s3_storage
from tests.processes import wait_for

PREFIX = "jobs/contract/"


@dataclass(frozen=True)
class Subject:
    """One storage under test, with its wrong brothers."""

    storage: Storage
    missing: Storage  # of a bucket or folder that is not there
    denied: Storage | None  # with credentials that are wrong; None where the server checks none
    opening: str  # how another process opens the storage


@pytest.fixture(params=["local", "rclone", "moto"])
def subject(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Subject]:
    if request.param == "local":
        yield from _local(settings)
        return
    endpoint = request.getfixturevalue(f"{request.param}_endpoint")
    # moto checks no signatures
    denied = s3_storage(endpoint, "stems", "wrong") if request.param == "rclone" else None
    opening = f"s3_storage({endpoint!r}, 'stems')"
    subject = Subject(s3_storage(endpoint, "stems"), s3_storage(endpoint, "nowhere"), denied, opening)
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
    yield Subject(
        storage,
        LocalStorage(blocked / "objects", b"key"),
        LocalStorage(Path("/proc/1/none"), b"key"),
        f"LocalStorage(Path({str(settings.data_dir / 'objects')!r}), b'key')",
    )
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


def test_a_large_object_goes_up_in_parts_and_is_copied(subject: Subject) -> None:
    data = os.urandom(36 * 1024 * 1024 + 17)
    assert put(subject.storage, "large", data) == len(data)

    subject.storage.copy(PREFIX + "large", PREFIX + "again")
    for key in ("large", "again"):
        assert httpx.get(url_of(subject.storage, key), timeout=60).content == data


@VERIFYING
def test_a_signed_url_takes_a_get_and_says_the_size_by_a_range(subject: Subject) -> None:
    put(subject.storage, "a.flac", b"hello")
    url = url_of(subject.storage, "a.flac")
    first = httpx.get(url, headers={"Range": "bytes=0-0"})

    assert (first.content, first.headers["content-range"]) == (b"h", "bytes 0-0/5")
    # S3 signs the method, as docs/cluster.md says; the api's own files take both
    assert httpx.head(url).status_code == (200 if isinstance(subject.storage, LocalStorage) else 403)


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


FORBIDDEN = {"content-length", "host", "origin", "cookie", "connection", "te", "trailer", "transfer-encoding", "expect"}


@pytest.mark.parametrize("subject", ["rclone", "moto"], indirect=True)
@pytest.mark.parametrize("bytes", [None, 5])
@pytest.mark.parametrize("sent", [None, {}, {"Content-Type": "audio/mpeg"}, {"Content-Type": "text/plain;charset=x"}])
def test_an_upload_is_taken_whatever_type_it_is_sent_with(
    subject: Subject, bytes: int | None, sent: dict[str, str] | None
) -> None:
    place = subject.storage.signed_put(PREFIX + "up", 60, 1000, bytes)

    answer = httpx.put(place.url, content=b"hello", headers=place.headers if sent is None else sent)

    assert answer.status_code == 200, answer.text
    assert subject.storage.size(PREFIX + "up") == 5
    assert not FORBIDDEN & {name.lower() for name in place.headers}  # a page's script may set them


# S3 takes no smaller part, but for the last one
PART = 5 << 20


def send(subject: Subject, key: str, begun: str, number: int, data: bytes) -> int:
    place = subject.storage.signed_part(PREFIX + key, begun, number, 60, len(data))
    if isinstance(subject.storage, LocalStorage):  # the api takes parts of uploads alone
        url = urlsplit(place.url)
        asked = {name: value for name, (value,) in parse_qs(url.query).items()}
        signed = SignedUpload(int(asked["expires"]), int(asked["max"]), int(asked["bytes"]), asked["signature"])
        subject.storage.receive(url.path.removeprefix(ROUTE), signed, io.BytesIO(data), len(data))
        return 200
    return httpx.put(place.url, content=data, headers=place.headers, timeout=60).status_code


def test_an_object_comes_in_parts_in_any_order_and_is_joined_once(subject: Subject) -> None:
    data = os.urandom(2 * PART + 17)
    sizes = [PART, PART, 17]
    begun = subject.storage.begin(PREFIX + "parted")
    assert subject.storage.parts(PREFIX + "parted", begun) == {}
    assert subject.storage.keys(PREFIX) == []

    for number in (3, 1):
        at = PART * (number - 1)
        assert send(subject, "parted", begun, number, data[at : at + sizes[number - 1]]) == 200
    assert subject.storage.parts(PREFIX + "parted", begun) == {1: PART, 3: 17}
    with pytest.raises(UsageError) as lacking:
        subject.storage.join(PREFIX + "parted", begun, sizes)
    assert lacking.value.code == "upload_incomplete"
    assert subject.storage.size(PREFIX + "parted") is None

    assert send(subject, "parted", begun, 2, data[PART : 2 * PART]) == 200
    assert send(subject, "parted", begun, 2, data[PART : 2 * PART]) in (200, 501)  # rclone takes no part twice
    for _ in range(2):
        subject.storage.join(PREFIX + "parted", begun, sizes)
    assert subject.storage.sizes(PREFIX) == {PREFIX + "parted": len(data)}
    assert subject.storage.parts(PREFIX + "parted", begun) == {}
    assert httpx.get(url_of(subject.storage, "parted"), timeout=60).content == data


def test_a_part_of_another_size_is_refused_or_not_joined(subject: Subject) -> None:
    begun = subject.storage.begin(PREFIX + "parted")
    place = subject.storage.signed_part(PREFIX + "parted", begun, 1, 60, 9)
    httpx.put(place.url, content=b"hello", headers=place.headers)  # not every S3 looks at it

    with pytest.raises(UsageError) as lacking:
        subject.storage.join(PREFIX + "parted", begun, [9])
    assert lacking.value.code == "upload_incomplete"


def test_what_came_in_parts_is_deleted_with_its_key(subject: Subject) -> None:
    begun = subject.storage.begin(PREFIX + "parted")
    assert send(subject, "parted", begun, 1, b"hello") == 200

    subject.storage.delete(PREFIX)
    assert subject.storage.parts(PREFIX + "parted", begun) == {}
    assert subject.storage.keys(PREFIX) == []
    with pytest.raises(StemsvcError):
        subject.storage.join(PREFIX + "parted", begun, [5])


def test_two_who_join_at_once_make_one_object(subject: Subject) -> None:
    begun = subject.storage.begin(PREFIX + "parted")
    data = os.urandom(PART)
    assert send(subject, "parted", begun, 1, data) == 200
    failed: list[StemsvcError] = []

    def join() -> None:
        try:
            subject.storage.join(PREFIX + "parted", begun, [PART])
        except StemsvcError as error:
            failed.append(error)

    threads = [threading.Thread(target=join) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert httpx.get(url_of(subject.storage, "parted"), timeout=60).content == data


@VERIFYING
def test_a_url_expires(subject: Subject) -> None:
    put(subject.storage, "a.flac", b"hello")
    url = url_of(subject.storage, "a.flac", seconds=3)
    assert httpx.get(url).status_code == 200

    wait_until_refused(lambda: httpx.get(url).status_code)


def wait_until_refused(status: Callable[[], int]) -> None:
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


def test_what_is_there_is_listed_with_its_size(subject: Subject) -> None:
    put(subject.storage, "b", b"12345")
    put(subject.storage, "a/1", b"1")

    assert list(subject.storage.sizes(PREFIX).items()) == [(PREFIX + "a/1", 1), (PREFIX + "b", 5)]
    assert subject.storage.keys(PREFIX + "a") == [PREFIX + "a/1"]


def test_an_object_is_read_where_it_lies(subject: Subject) -> None:
    data = os.urandom(1_000_000)
    put(subject.storage, "a", data)
    with subject.storage.open(PREFIX + "a") as file:
        assert file.seek(-3, os.SEEK_END) == 999_997
        assert file.read() == data[-3:]
        file.seek(300_000)
        assert file.read(4) == data[300_000:300_004]

    with pytest.raises(UsageError) as caught:
        subject.storage.open(PREFIX + "none")
    assert caught.value.code == "object_missing"


# --- writers that are killed ------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from stemsvc.storage.local import LocalStorage
from tests.conftest import s3_storage
opening, key = sys.argv[1:]
eval(opening).put(key, sys.stdin.buffer, "audio/flac")
"""


@contextmanager
def writing(subject: Subject, key: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the middle of a put: it has got 20 MB, and more may come."""
    command = [sys.executable, "-c", WRITER, subject.opening, PREFIX + key]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(bytes(20 * 1024 * 1024))
            wait_for("a draft", lambda: unfinished(subject.storage))
            yield process
        finally:
            process.kill()


def killed(subject: Subject, key: str) -> None:
    """Have a writer killed in the middle of a put."""
    with writing(subject, key) as process:
        process.kill()


def unfinished(storage: Storage) -> int:
    """How many objects are neither whole nor gone."""
    if isinstance(storage, LocalStorage):
        return sum(drafts.is_draft(path) for path in storage._root.rglob("*"))
    assert isinstance(storage, S3Storage)
    found = storage._client(storage._endpoint_url).list_multipart_uploads(Bucket="stems")
    return len(found.get("Uploads", []))


def hurry(storage: Storage, seconds: float) -> None:
    """Have drafts go that are so old."""
    assert isinstance(storage, LocalStorage | S3Storage)
    storage._draft_seconds = seconds


def test_what_a_killed_writer_left_goes_with_its_prefix(subject: Subject) -> None:
    killed(subject, "x/song")
    assert unfinished(subject.storage) == 1
    assert subject.storage.delete(PREFIX + "y/") == 0
    assert unfinished(subject.storage) == 1

    assert subject.storage.delete(PREFIX + "x/") == 0
    assert unfinished(subject.storage) == 0


@VERIFYING  # all uploads in parts of moto are from 2010
def test_what_a_killed_writer_left_goes_in_its_time(subject: Subject) -> None:
    killed(subject, "x/song")
    assert subject.storage.clear_drafts([PREFIX]) == 0
    hurry(subject.storage, -1)
    if isinstance(subject.storage, S3Storage):  # other programs may use the bucket
        assert subject.storage.clear_drafts(["uploads/"]) == 0

    assert subject.storage.clear_drafts([PREFIX]) == 1
    assert unfinished(subject.storage) == 0


@VERIFYING
def test_a_writer_that_lives_loses_nothing(subject: Subject) -> None:
    if isinstance(subject.storage, LocalStorage):
        hurry(subject.storage, -1)  # its lock protects it, not its age
    with writing(subject, "x/song") as process:
        assert subject.storage.clear_drafts([PREFIX]) == 0
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0

    assert subject.storage.sizes(PREFIX) == {PREFIX + "x/song": 20 * 1024 * 1024}


def test_a_writer_whose_upload_was_aborted_may_try_again(subject: Subject) -> None:
    with writing(subject, "x/song") as process:
        subject.storage.delete(PREFIX + "x/")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) != 0

    assert (unfinished(subject.storage), subject.storage.keys(PREFIX)) == (0, [])
    assert put(subject.storage, "x/song", b"again") == 5


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
