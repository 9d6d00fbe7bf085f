"""Objects of the local storage by their URLs: validators and ranges."""

from __future__ import annotations

import contextlib
import hashlib
import io
from typing import Any

import pytest

from stemsvc.control.services import Services
from tests.api.views.test_jobs import finish, song
from tests.api.views.test_keys import code

DATA = bytes(range(256)) * 40
SHA256 = hashlib.sha256(DATA).hexdigest()
ETAG = f'"{SHA256}"'


@pytest.fixture
def urls(client: Any, parts: Services) -> dict[str, str]:
    """The URLs of a stem and of a manifest, whose hash no row has."""
    job = client.post("/v1/jobs", data={"file": song()}, content_type="multipart/form-data").json["id"]
    key = f"jobs/{job}/attempt-1/vocals.flac"
    parts.storage.put(key, io.BytesIO(DATA), "audio/flac")
    finish(parts, job, {"vocals": {"key": key, "bytes": len(DATA), "sha256": SHA256}})
    manifest = parts.storage.signed_url(key, 60, "song - manifest.json", "application/json")
    return {"stem": client.get(f"/v1/jobs/{job}").json["stems"]["vocals"]["url"], "manifest": manifest}


def got(call: Any, url: str, **headers: str) -> Any:
    """The whole answer; the file behind it is closed."""
    with contextlib.closing(call(url, headers=headers)) as answer:
        answer.get_data()
        return answer


@pytest.mark.parametrize("which", ["stem", "manifest"])
def test_a_file_s_etag_is_its_sha256(client: Any, urls: dict[str, str], which: str) -> None:
    for call in (client.get, client.head):
        answer = got(call, urls[which])
        assert (answer.status_code, answer.headers["ETag"]) == (200, ETAG)
        assert (answer.headers["Accept-Ranges"], answer.content_length) == ("bytes", len(DATA))


@pytest.mark.parametrize("given", [ETAG, f'"other", {ETAG}', f"W/{ETAG}", "*"])
def test_what_a_client_has_already_is_not_sent_again(client: Any, urls: dict[str, str], given: str) -> None:
    for call in (client.get, client.head):
        answer = got(call, urls["stem"], **{"If-None-Match": given})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", ETAG)
    again = got(client.get, urls["stem"], **{"If-None-Match": '"other"'})
    assert (again.status_code, again.data) == (200, DATA)


def test_a_download_goes_on_where_it_broke_off_if_the_file_is_the_same(client: Any, urls: dict[str, str]) -> None:
    def part(**headers: str) -> Any:
        return got(client.get, urls["stem"], Range="bytes=1000-1009", **headers)

    for headers in ({}, {"If-Range": ETAG}, {"If-Match": ETAG}):
        answer = part(**headers)
        assert (answer.status_code, answer.data) == (206, DATA[1000:1010])
        assert answer.headers["Content-Range"] == f"bytes 1000-1009/{len(DATA)}"
        assert answer.headers["ETag"] == ETAG
    other = part(**{"If-Range": '"another file"'})
    assert (other.status_code, other.data) == (200, DATA)


def test_a_range_beyond_the_end_is_refused_by_its_code(client: Any, urls: dict[str, str]) -> None:
    answer = got(client.get, urls["stem"], Range="bytes=99999999-")

    assert code(answer) == (416, "requested_range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"


def test_no_other_etag_can_be_given_to_a_url(client: Any, urls: dict[str, str]) -> None:
    assert code(client.get(urls["stem"].replace(SHA256, "0" * 64))) == (403, "url_invalid")
    assert code(client.get(f"{urls['manifest']}&sha256={SHA256}")) == (403, "url_invalid")
    without = urls["stem"].replace(f"&sha256={SHA256}", "")
    assert without != urls["stem"]
    assert code(client.get(without)) == (403, "url_invalid")
    smuggled = without.replace("type=audio%2Fflac", f"type=audio%2Fflac%0A{SHA256}")
    assert code(client.get(smuggled)) == (403, "url_invalid")
