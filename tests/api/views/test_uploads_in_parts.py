"""Uploads that come in parts, and go on where they were cut."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.control import uploads
from stemsvc.control.janitor import Janitor
from stemsvc.control.services import Services
from tests.api.views.test_keys import code
from tests.api.views.test_sources import by_json, expire_uploads

SONG = bytes(range(250)) * 10
PART = 1000
KEY = {"Idempotency-Key": "the-song"}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PART_BYTES", PART)


def announced(client: Any, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    made = client.post(
        "/v1/uploads", json={"filename": "song.flac", "bytes": len(SONG), "parts": True, **fields}, headers=headers
    )
    assert made.status_code == 201, made.json
    return made.json


def send(client: Any, part: dict[str, Any], song: bytes = SONG) -> Any:
    data = song[part["offset"] : part["offset"] + part["bytes"]]
    return client.put(part["url"], data=data, headers=part["headers"])


def test_an_upload_that_was_cut_goes_on_where_it_was(client: Any, parts: Services) -> None:
    first = announced(client, KEY)
    assert [(part["number"], part["offset"], part["bytes"]) for part in first["parts"]] == [
        (1, 0, 1000),
        (2, 1000, 1000),
        (3, 2000, 500),
    ]
    assert [send(client, part).status_code for part in first["parts"][:2]] == [200, 200]
    source = {"source": {"upload_id": first["upload_id"]}}
    assert code(by_json(client, **source)) == (400, "upload_incomplete")
    assert parts.store.recent() == []

    again = announced(client, KEY)
    assert again["upload_id"] == first["upload_id"]
    assert [part["number"] for part in again["parts"]] == [3]
    assert send(client, again["parts"][0]).status_code == 200
    assert announced(client, KEY)["parts"] == []

    for _ in range(2):
        job = by_json(client, **source)
        assert job.status_code == 201, job.json
        kept = parts.store.get(job.json["id"])
        assert kept is not None
        with parts.storage.open(kept.inputs[0].key) as file:
            assert file.read() == SONG
    assert list(parts.storage.sizes("uploads/").values()) == [len(SONG)]  # the parts are gone
    assert announced(client, KEY)["parts"] == []


def test_a_file_of_whole_parts_has_no_empty_one(client: Any) -> None:
    made = announced(client, bytes=2 * PART)
    assert [part["bytes"] for part in made["parts"]] == [PART, PART]
    assert [part["bytes"] for part in announced(client, bytes=1)["parts"]] == [1]


def test_a_huge_file_has_larger_parts_instead_of_too_many(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_PARTS", 2)
    assert [part["bytes"] for part in announced(client)["parts"]] == [1250, 1250]
    assert [part["bytes"] for part in announced(client, bytes=2501)["parts"]] == [1251, 1250]


def test_parts_need_a_size_and_are_bounded_as_files_are(client: Any, parts: Services) -> None:
    assert code(client.post("/v1/uploads", json={"parts": True})) == (422, "bad_options")
    too_large = {"parts": True, "bytes": parts.settings.max_upload_bytes + 1}
    assert code(client.post("/v1/uploads", json=too_large)) == (413, "file_too_large")
    whole = client.post("/v1/uploads", json={"bytes": 5}).json
    assert whole["parts"] is None


def test_a_file_may_come_whole_all_the_same(client: Any, parts: Services) -> None:
    made = announced(client, KEY)
    assert send(client, made["parts"][0]).status_code == 200
    assert client.put(made["url"], data=SONG, headers=made["headers"]).status_code == 200
    assert announced(client, KEY)["parts"] == []
    assert by_json(client, source={"upload_id": made["upload_id"]}).status_code == 201
    assert list(parts.storage.sizes("uploads/").values()) == [len(SONG)]
    assert code(client.put(made["url"], data=SONG[1:])) == (400, "wrong_length")


def test_the_same_key_for_a_whole_file_is_another_request(client: Any) -> None:
    announced(client, KEY)
    for name in ("song.flac", "song.flac in parts"):
        answer = client.post("/v1/uploads", json={"filename": name, "bytes": len(SONG)}, headers=KEY)
        assert code(answer) == (409, "idempotency_conflict")


def test_a_part_takes_its_own_bytes_and_its_own_place_alone(client: Any, parts: Services) -> None:
    first, second, last = announced(client)["parts"]

    assert code(client.put(first["url"], data=b"x" * 999)) == (400, "wrong_length")
    assert code(client.put(first["url"], data=b"x" * 1001)) == (413, "file_too_large")
    moved = first["url"].replace("part-00001", "part-00002")
    assert code(client.put(moved, data=b"x" * 1000)) == (403, "url_invalid")
    assert code(client.get(first["url"])) == (403, "url_invalid")
    assert parts.storage.keys("uploads/") == []
    assert [send(client, part).status_code for part in (second, second, last)] == [200, 200, 200]


def test_all_of_a_file_counts_as_its_owners_from_the_first_part_on(client: Any, parts: Services) -> None:
    made = announced(client)
    send(client, made["parts"][0])
    upload = parts.store.uploads.find(made["upload_id"])
    assert upload is not None
    assert upload.bytes == len(SONG)


def test_an_upload_that_is_deleted_or_over_takes_no_part_and_leaves_none(client: Any, parts: Services) -> None:
    made = announced(client)
    send(client, made["parts"][0])
    assert client.delete(f"/v1/uploads/{made['upload_id']}").status_code == 204
    assert code(send(client, made["parts"][1])) == (404, "upload_not_found")
    assert parts.storage.keys("") == []

    other = announced(client)
    send(client, other["parts"][0])
    expire_uploads(parts)
    assert code(send(client, other["parts"][1])) == (404, "upload_not_found")
    sweep(parts)
    assert parts.storage.keys("") == []


def test_the_janitor_leaves_parts_alone_while_their_time_lasts(client: Any, parts: Services) -> None:
    made = announced(client)
    send(client, made["parts"][0])
    sweep(parts)
    assert [send(client, part).status_code for part in made["parts"][1:]] == [200, 200]
    assert by_json(client, source={"upload_id": made["upload_id"]}).status_code == 201


def sweep(parts: Services) -> None:
    Janitor(parts.store, parts.storage, 0, 0).sweep()
