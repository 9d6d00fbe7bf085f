"""A job's files as one zip: what the link gives, from a folder and from S3, and what it refuses."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.serving import make_server

from api.edge.concurrency import ARCHIVES
from stemsvc.control.services import Services
from stemsvc.jobs.encoding import EXTENSIONS
from stemsvc.jobs.record import JobState, Lease, new_job_id
from stemsvc.jobs.spec import JobSpec
from stemsvc.settings import Settings
from stemsvc.storage import open_signer
from tests.conftest import ACCESS_KEY, SECRET_KEY
from tests.specs import job_of, spec_of


@pytest.fixture(params=["local", "s3"])
def app_settings(app_settings: Settings, request: pytest.FixtureRequest) -> Settings:
    if request.param == "local":
        return app_settings
    changes = {"storage": "s3", "s3_endpoint_url": request.getfixturevalue("rclone_endpoint"), "s3_bucket": "stems"}
    credentials = {"s3_access_key_id": ACCESS_KEY, "s3_secret_access_key": SECRET_KEY}
    return Settings(**{**app_settings.model_dump(), **changes, **credentials})


LOCAL = pytest.mark.parametrize("app_settings", ["local"], indirect=True)
FILES = {"vocals.flac": b"f" * 3_000_000, "vocals.mp3": b"m" * 100, "drums.flac": b"d" * 10, "drums.mp3": b""}
SEVERAL = spec_of(stems=("drums", "vocals"), bit_depth="16", formats=("flac", "mp3"))


def done(parts: Services, files: dict[str, bytes] = FILES, spec: JobSpec = SEVERAL, name: str = "Mr. X feat. Y") -> str:
    """A job that made these files."""
    job_id = new_job_id()
    parts.store.intake.put(job_of(job_id, JobState.QUEUED, spec, "p", f"jobs/{job_id}/input", name), "accepted")
    parts.store.leases.take(job_id, "worker", 60)
    lease, outputs = Lease(job_id, 1, "worker"), {}
    for file, data in files.items():
        stem, _, format = file.partition(".")
        key = f"{lease.prefix}/{stem}.{EXTENSIONS[format or 'flac']}"
        parts.storage.put(key, io.BytesIO(data), "audio/flac")
        outputs[file] = {"key": key, "bytes": len(data), "sha256": "x", "stem": stem, "format": format}
    assert parts.store.leases.succeed(lease, {}, outputs)
    return job_id


def archive_of(client: FlaskClient, job_id: str) -> dict[str, Any]:
    job: Any = client.get(f"/v1/jobs/{job_id}").json
    found: dict[str, Any] = job["archive"]
    assert job["urls"]["archive"] == (found and found["url"])
    return found


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


def test_the_archive_has_all_files_under_the_names_of_their_downloads(client: FlaskClient, parts: Services) -> None:
    job_id = done(parts)
    archive = archive_of(client, job_id)
    answer = client.get(archive["url"])

    assert (answer.status_code, answer.content_type) == (200, "application/zip")
    assert answer.headers["Content-Length"] == str(archive["bytes"]) == str(len(answer.data))
    names = {name: f"Mr. X feat. Y - {name.replace('.', '.', 1)}" for name in FILES}
    assert unzipped(answer.data) == {names[name]: data for name, data in FILES.items()}
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Mr. X feat. Y - stems.zip"'
    assert archive["filename"] == "Mr. X feat. Y - stems.zip"
    assert "crc32" not in client.get(f"/v1/jobs/{job_id}").json["files"]["vocals.mp3"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ("&files=drums.flac", ["drums.flac"]),
        ("&files=drums.flac,%20vocals.mp3", ["vocals.mp3", "drums.flac"]),
        ("&files=vocals.mp3&files=drums.mp3", ["vocals.mp3", "drums.mp3"]),
        ("&files=vocals", ["vocals.flac", "vocals.mp3"]),
        ("&files=", list(FILES)),
    ],
)
@LOCAL
def test_files_may_be_picked(client: FlaskClient, parts: Services, files: str, names: list[str]) -> None:
    answer = client.get(archive_of(client, done(parts))["url"] + files)

    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert list(unzipped(answer.data)) == [f"Mr. X feat. Y - {name}" for name in names]


@LOCAL
def test_a_name_that_is_no_file_is_said_so(client: FlaskClient, parts: Services) -> None:
    answer = client.get(archive_of(client, done(parts))["url"] + "&files=vocals.flac,kazoo")

    assert (answer.status_code, answer.json["code"]) == (422, "unknown_file")  # type: ignore[index]
    assert "kazoo" in answer.json["detail"]  # type: ignore[index]
    assert "drums.mp3" in answer.json["detail"]  # type: ignore[index]


def test_a_broken_download_goes_on_where_it_stopped(client: FlaskClient, parts: Services) -> None:
    url = archive_of(client, done(parts))["url"]
    whole = client.get(url)
    rest = client.get(url, headers={"Range": "bytes=2500000-", "If-Range": whole.headers["ETag"]})

    assert whole.headers["Accept-Ranges"] == "bytes"
    assert (rest.status_code, rest.data) == (206, whole.data[2_500_000:])
    assert rest.headers["Content-Range"] == f"bytes 2500000-{len(whole.data) - 1}/{len(whole.data)}"
    head = client.head(url)
    assert (head.headers["Content-Length"], head.data) == (str(len(whole.data)), b"")
    assert client.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert client.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416
    assert client.get(url).headers["ETag"] == whole.headers["ETag"]
    assert client.get(url + "&files=drums").headers["ETag"] != whole.headers["ETag"]


def test_a_link_opens_its_own_job_until_it_expires(client: FlaskClient, parts: Services) -> None:
    mine, other = done(parts), done(parts)
    url = archive_of(client, mine)["url"]
    expired = parts.signer.archive_url(mine, -1)

    for wrong, code in (
        (url.replace(mine, other), "url_invalid"),
        (url[:-1] + ("0" if url[-1] != "0" else "1"), "url_invalid"),
        (url.partition("?")[0], "url_invalid"),
        (expired, "url_expired"),
    ):
        answer = client.get(wrong)
        assert (answer.status_code, answer.json["code"]) == (403, code)  # type: ignore[index]


@LOCAL
def test_what_is_gone_has_no_archive(client: FlaskClient, parts: Services) -> None:
    queued, erased, lost, expired = new_job_id(), done(parts), done(parts), done(parts)
    parts.store.intake.put(job_of(queued, JobState.QUEUED, SEVERAL, "p", "k", "a"), "accepted")
    assert archive_of(client, queued) is None
    urls = {job_id: archive_of(client, job_id)["url"] for job_id in (erased, lost, expired)}

    parts.acceptance.erase(erased)
    parts.storage.delete(f"jobs/{lost}/")  # its row does not know
    for job_id in (erased, lost):
        answer = client.get(urls[job_id])
        assert (answer.status_code, answer.json["code"]) == (404, "object_missing")  # type: ignore[index]
    assert client.get(urls[expired]).status_code == 200
    assert expired in parts.store.expire(-1)
    assert client.get(urls[expired]).status_code == 404
    assert archive_of(client, expired) is None
    assert client.get(parts.signer.archive_url(queued, 60)).status_code == 404


@LOCAL
def test_names_that_a_disk_takes_for_one_get_numbers(client: FlaskClient, parts: Services) -> None:
    job_id = done(parts, {"Drums": b"1", "drums": b"2"}, spec_of())
    assert list(unzipped(client.get(archive_of(client, job_id)["url"]).data)) == [
        "Mr. X feat. Y - Drums.flac",
        "Mr. X feat. Y - drums (2).flac",
    ]


@LOCAL
def test_places_for_archives_are_bounded_and_given_back(client: FlaskClient, parts: Services) -> None:
    url = archive_of(client, done(parts))["url"]
    open_ones = [client.get(url) for _ in range(ARCHIVES)]
    full = client.get(url)
    assert (full.status_code, full.json["code"]) == (503, "api_busy")  # type: ignore[index]
    assert "Retry-After" in full.headers

    for answer in open_ones:
        answer.close()
    for _ in range(ARCHIVES + 1):
        assert client.get(url, buffered=True).status_code == 200
        assert client.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416


@pytest.fixture
def served(client: FlaskClient) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@LOCAL
def test_a_file_that_goes_while_it_is_sent_breaks_the_download(
    client: FlaskClient, parts: Services, served: str, tmp_path: Path
) -> None:
    job_id = done(parts, {"vocals": bytes(40_000_000)}, spec_of())
    url = archive_of(client, job_id)["url"].replace("http://localhost", served)

    def download() -> None:
        with httpx.stream("GET", url) as answer:
            for _ in answer.iter_bytes(1000):
                parts.storage.delete(f"jobs/{job_id}/")

    with pytest.raises(httpx.RemoteProtocolError):
        download()


def test_processes_that_share_a_secret_sign_alike(app_settings: Settings, tmp_path: Path) -> None:
    if app_settings.storage == "local":
        app_settings = app_settings.model_copy(update={"storage_secret": SecretStr("shared")})
    elsewhere = app_settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    signed = httpx.URL(open_signer(app_settings).archive_url("a", 60)).params

    open_signer(elsewhere).check_archive("a", int(signed["expires"]), signed["signature"])
    assert not (tmp_path / "elsewhere").exists()
