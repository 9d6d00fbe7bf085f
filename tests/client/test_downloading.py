"""Downloads go on where they broke, are checked, and appear whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from stemsvc_client import DownloadCorrupt, NoAnswer, Retry
from stemsvc_client.draft import Draft
from stemsvc_client.places import place
from stemsvc_client.results import File

from tests.client.conftest import DROPPED, Asked, Call, Reply, World, job

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ETAG = '"abc"'


def ranged(cut: int | None = None, content: bytes = CONTENT, etag: str = ETAG) -> object:
    """A storage that knows ranges; after `cut` bytes it breaks off."""

    def reply(asked: Asked) -> Reply:
        wanted, condition = asked.headers.get("range"), asked.headers.get("if-range")
        if wanted is None or condition not in (None, etag):
            return Reply(200, body=content, headers={"ETag": etag}, cut=cut)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            return Reply(416, headers={"Content-Range": f"bytes */{len(content)}"})
        said = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Reply(206, body=content[start:], headers={"ETag": etag, "Content-Range": said}, cut=cut)

    return reply


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_download_that_breaks_goes_on_where_it_broke(world: World, call: Call, tmp_path: Path) -> None:
    world.on("GET /f", ranged(400_000), DROPPED, ranged(300_000), ranged())  # type: ignore[arg-type]
    path = call("download", f"{world.url}/f", tmp_path / "stems" / "a.flac", SHA256, key="secret")

    assert path.read_bytes() == CONTENT
    assert leftovers(path.parent) == []
    first, *others = world.calls("GET /f")
    assert "range" not in first.headers
    assert [each.headers["range"] != "bytes=0-" and each.headers["if-range"] for each in others] == [ETAG] * 3
    assert all("authorization" not in each.headers for each in world.asked)  # the storage must not see the key


def test_a_file_that_changed_meanwhile_is_fetched_anew(world: World, call: Call, tmp_path: Path) -> None:
    world.on("GET /f", ranged(400_000, b"x" * len(CONTENT), '"old"'), ranged())  # type: ignore[arg-type]
    assert call("download", f"{world.url}/f", tmp_path / "a", SHA256).read_bytes() == CONTENT
    assert len(world.asked) == 2


def test_a_storage_without_ranges_works_too(world: World, call: Call, tmp_path: Path) -> None:
    world.on("GET /f", Reply(200, body=CONTENT, cut=500_000), Reply(200, body=CONTENT))
    assert call("download", f"{world.url}/f", tmp_path / "a").read_bytes() == CONTENT
    assert leftovers(tmp_path) == []


def test_wrong_bytes_never_appear(world: World, call: Call, tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"what was there")
    world.on("GET /f", Reply(200, body=CONTENT[:-1] + b"?"))
    with pytest.raises(DownloadCorrupt):
        call("download", f"{world.url}/f", target, SHA256)
    assert (len(world.asked), target.read_bytes()) == (2, b"what was there")

    world.on("GET /f", Reply(200, body=CONTENT[:-1] + b"?"), Reply(200, body=CONTENT))
    assert call("download", f"{world.url}/f", target, SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("have", [CONTENT[:70_000], CONTENT, CONTENT + b"too much", b"x" * 70_000])
def test_a_later_call_goes_on_with_what_an_earlier_one_left(
    world: World, call: Call, tmp_path: Path, have: bytes
) -> None:
    draft = Draft(tmp_path / "a", SHA256)
    draft.open()
    draft.write(have)
    draft.close()
    assert len(leftovers(tmp_path)) == 1
    world.on("GET /f", ranged())  # type: ignore[arg-type]

    assert call("download", f"{world.url}/f", tmp_path / "a", SHA256).read_bytes() == CONTENT
    assert world.asked[0].headers["range"] == f"bytes={len(have)}-"
    assert leftovers(tmp_path) == []


def test_a_failure_leaves_the_part_for_later(world: World, call: Call, tmp_path: Path) -> None:
    world.on("GET /f", ranged(400_000), DROPPED)  # type: ignore[arg-type]
    with pytest.raises(NoAnswer):
        call("download", f"{world.url}/f", tmp_path / "a", SHA256, patience=Retry(0.1, 0.01, 0.02))

    assert not (tmp_path / "a").exists()
    (part,) = leftovers(tmp_path)
    assert (tmp_path / part).stat().st_size > 100_000


def test_a_url_that_expired_is_asked_for_anew(world: World, call: Call, tmp_path: Path) -> None:
    def body(name: str) -> Reply:
        file = {"url": f"{world.url}/{name}", "filename": "a - vocals.flac", "sha256": SHA256, "new_field": 1}
        return Reply(200, job("succeeded", files={"vocals": file}))

    world.on("GET /old", Reply(403, body=b"<Error><Code>AccessDenied</Code></Error>"))
    world.on("GET /new", Reply(200, body=CONTENT))
    world.on("GET /v1/jobs/j1", body("old"), body("new"))
    found = call("job", "j1")

    assert call("save", found, "vocals", tmp_path) == tmp_path / "a - vocals.flac"


@pytest.mark.parametrize(
    ("filename", "saved"),
    [("../../etc/passwd", "passwd"), ("C:\\x\\song.wav", "song.wav"), ("..", "vo_cals"), ("", "vo_cals")],
)
def test_a_name_leads_nowhere_else(filename: str, saved: str) -> None:
    assert place(Path("out"), "vo/cals", File(filename=filename)) == Path("out") / saved
