"""Pulling against a server that does everything a network does: right weights or a clear code, never half a file."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stemsvc.errors import FatalError, StemsvcError, TransientError
from stemsvc.host.folders import private
from stemsvc.models.source import WeightFile
from stemsvc.models.store import State
from tests.hub import Hub
from tests.processes import plain_environment, wait_for
from tests.stemsvc.models.cases import DATA, SHA256, entry_of, hub_file, puller_in, url_file


def leftovers(folder: Path) -> list[str]:
    """Names of what lies in the folder besides whole weights and the hub's word on them."""
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock" and path.name != "hub.json" and path.read_bytes() != DATA
    ]


@pytest.mark.parametrize("opened", [0o755, 0o2775, 0o700])
def test_a_cache_that_users_share_stays_shared(served: Hub, file: WeightFile, tmp_path: Path, opened: int) -> None:
    # given a service that keeps what it writes to itself, and a folder that an operator made for several users
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(opened)
    parts: set[int] = set()

    def look(file: WeightFile, done: int, total: int | None) -> None:
        parts.update(path.stat().st_mode & 0o777 for path in (cache / "weights" / ".parts").glob("*.part"))

    with private():
        puller_in(cache / "weights").ensure(entry_of(file), look)

    assert parts == {opened & 0o666}  # another user may go on with it
    for path in (cache, *cache.rglob("*")):
        wanted = opened if path.is_dir() else opened & 0o666
        assert path.stat().st_mode & 0o7777 == wanted, path


@pytest.mark.parametrize(
    "moods",
    [
        [],
        ["slow:1"],
        ["reset:150000"],
        pytest.param(["reset:150000", "reset:1", "reset:90000"], marks=pytest.mark.long),
        ["cut:150000"],
        pytest.param(["500", "503"], marks=pytest.mark.long),
        ["429:0"],
        pytest.param(["429", "429"], marks=pytest.mark.long),
        ["wrong"],
        pytest.param(["long"], marks=pytest.mark.long),
        pytest.param(["reset:100000", "wrong"], marks=pytest.mark.long),
        pytest.param(["stall:100000"], marks=pytest.mark.long),
        ["408", "502", "cut:9"],
    ],
)
def test_what_a_network_does_ends_in_the_right_weights(
    served: Hub, file: WeightFile, tmp_path: Path, moods: list[str]
) -> None:
    served.moods += moods
    puller = puller_in(tmp_path)

    (path,) = puller.ensure(entry_of(file))

    assert path.read_bytes() == DATA
    assert leftovers(tmp_path) == []


def test_a_download_goes_on_where_it_broke_off(served: Hub, file: WeightFile, tmp_path: Path) -> None:
    served.moods.append("cut:200000")
    puller_in(tmp_path).ensure(entry_of(file))

    heads = [(method, path) for method, path, _ in served.requests if path.startswith("/api")]
    assert heads == []  # nobody is told about us
    ranges = [
        asked for method, path, asked in served.requests if path.startswith(("/cdn", "/plain")) and method == "GET"
    ]
    assert ranges == ["", "bytes=200000-"]


def test_valid_weights_cost_no_request(served: Hub, file: WeightFile, tmp_path: Path) -> None:
    puller_in(tmp_path).ensure(entry_of(file))
    before = len(served.requests)

    puller_in(tmp_path).ensure(entry_of(file))
    puller_in(tmp_path, offline=True).ensure(entry_of(file))

    assert len(served.requests) == before


class Refusal(NamedTuple):
    moods: list[str]
    code: str
    kind: type[StemsvcError] = FatalError


@pytest.mark.parametrize(
    "case",
    [
        Refusal(["503"] * 4, "weights_unavailable", TransientError),
        Refusal(["429:0"] * 40, "weights_unavailable", TransientError),
        Refusal(["404"], "weights_not_found"),
        Refusal(["403"], "weights_denied"),
        Refusal(["wrong"] * 2, "weights_corrupt"),
        Refusal(["long"] * 2, "weights_corrupt"),
    ],
)
def test_what_does_not_pass_is_a_code_and_leaves_nothing(
    served: Hub, file: WeightFile, tmp_path: Path, case: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    served.moods += case.moods
    with pytest.raises(case.kind) as caught:
        puller_in(tmp_path).ensure(entry_of(file))

    assert caught.value.code == case.code
    assert "mine" in caught.value.detail
    assert leftovers(tmp_path) == []
    assert puller_in(tmp_path).store.check(file) is State.MISSING


def test_a_machine_without_a_network_is_told_what_to_do(served: Hub, file: WeightFile, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="STEMSVC_OFFLINE") as caught:
        puller_in(tmp_path, offline=True).ensure(entry_of(file))

    assert caught.value.code == "weights_missing"
    assert served.requests == []


def test_nobody_at_the_address(tmp_path: Path) -> None:
    file = WeightFile(url="http://127.0.0.1:9/net.safetensors", sha256=SHA256)
    with pytest.raises(TransientError, match="Connect this machine") as caught:
        puller_in(tmp_path).ensure(entry_of(file))

    assert caught.value.code == "weights_unavailable"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"revision": "f" * 40}, "revision_gone"),
        ({"file": "other.safetensors"}, "weights_not_found"),
        ({"hub": "nobody/songs"}, "weights_denied"),
        ({"sha256": "0" * 64}, "weights_changed"),
    ],
)
def test_what_the_hub_has_no_more_names_the_fallback(
    served: Hub, tmp_path: Path, fields: dict[str, str], code: str
) -> None:
    with pytest.raises(FatalError, match="Take the model `demo` instead") as caught:
        puller_in(tmp_path).ensure(entry_of(hub_file(**fields), fallback="demo"))

    assert caught.value.code == code
    assert served.bodies() == 0  # nothing was fetched in vain


def test_a_gated_repository_is_refused_with_advice(served: Hub, tmp_path: Path) -> None:
    served.denied.add("someone/songs")
    with pytest.raises(FatalError, match="HF_TOKEN") as caught:
        puller_in(tmp_path).ensure(entry_of(hub_file()))

    assert caught.value.code == "weights_denied"


def test_weights_that_nothing_vouches_for_are_not_fetched(served: Hub, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="models lock") as caught:
        puller_in(tmp_path).ensure(entry_of(hub_file(sha256=None)))

    assert caught.value.code == "weights_unpinned"
    assert served.requests == []


@pytest.mark.parametrize("damage", [b"", DATA[:-1], b"x" + DATA[1:], DATA + b"x"])
def test_damaged_weights_are_moved_aside_and_pulled_again(
    served: Hub, file: WeightFile, tmp_path: Path, damage: bytes
) -> None:
    puller = puller_in(tmp_path)
    (path,) = puller.ensure(entry_of(file))
    path.write_bytes(damage)

    (path,) = puller.ensure(entry_of(file))

    assert path.read_bytes() == DATA
    assert [each.read_bytes() for each in tmp_path.glob("*.corrupt-*")] == [damage]
    gone = puller.store.prune([file], tmp_path / "none")
    assert [each.suffix.startswith(".corrupt-") for each in gone] == [True]


def test_damaged_weights_of_a_machine_without_a_network(served: Hub, tmp_path: Path) -> None:
    (path,) = puller_in(tmp_path).ensure(entry_of(hub_file()))
    path.write_bytes(b"damaged")
    with pytest.raises(FatalError) as caught:
        puller_in(tmp_path, offline=True).ensure(entry_of(hub_file()))

    assert caught.value.code == "weights_corrupt"


def test_many_at_once_download_once(served: Hub, file: WeightFile, tmp_path: Path) -> None:
    served.moods.append("slow:1.5")
    found: list[Path] = []
    workers = [
        threading.Thread(target=lambda: found.extend(puller_in(tmp_path).ensure(entry_of(file)))) for _ in range(10)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(found) == 10
    assert served.bodies() == 1


def test_less_than_twice_the_size_free_is_refused_first(
    served: Hub, file: WeightFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=2 * len(DATA) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(TransientError, match="twice its size") as caught:
        puller_in(tmp_path).ensure(entry_of(file))

    assert caught.value.code == "cache_full"
    assert served.bodies() == 0


def test_the_hub_is_asked_once_a_day(served: Hub, tmp_path: Path) -> None:
    puller = puller_in(tmp_path)
    puller.metadata.get(hub_file())
    puller.metadata.get(hub_file())
    assert len(served.requests) == 1

    path = tmp_path / "hub.json"
    stale = {address: {**known, "at": known["at"] - 86401} for address, known in json.loads(path.read_text()).items()}
    path.write_text(json.dumps(stale))
    known = puller.metadata.get(hub_file())

    assert len(served.requests) == 2
    assert known is not None
    assert known.seen is not None
    assert (known.seen.sha256, known.seen.size) == (SHA256, len(DATA))


def test_a_branch_that_moved_since_the_hub_was_asked(served: Hub, tmp_path: Path) -> None:
    data = served.files["someone/songs/net.safetensors"]
    served.files["someone/songs/net.safetensors"] = b"older" * 1000
    puller = puller_in(tmp_path)
    puller.metadata.get(hub_file(revision="main"))
    served.files["someone/songs/net.safetensors"] = data

    assert puller.ensure(entry_of(hub_file(revision="main")))[0].read_bytes() == DATA


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 3}'])
def test_a_damaged_note_of_the_hubs_word_is_asked_for_again(served: Hub, tmp_path: Path, text: str) -> None:
    (tmp_path / "hub.json").write_text(text)

    assert puller_in(tmp_path).ensure(entry_of(hub_file()))[0].read_bytes() == DATA


def test_progress_tells_bytes_of_the_whole(served: Hub, file: WeightFile, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    puller_in(tmp_path).ensure(entry_of(file), lambda file, done, total: seen.append((done, total)))

    assert seen == sorted(seen)
    assert seen[-1] == (len(DATA), len(DATA))


def test_progress_may_end_the_download(served: Hub, file: WeightFile, tmp_path: Path) -> None:
    class Canceled(Exception):
        pass

    def cancel(file: WeightFile, done: int, total: int | None) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        puller_in(tmp_path).ensure(entry_of(file), cancel)
    assert puller_in(tmp_path).ensure(entry_of(file))[0].read_bytes() == DATA


def test_a_file_of_ones_own_is_used_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(DATA)
    for file in (WeightFile(path=path), WeightFile(path=path, sha256=SHA256)):
        assert puller_in(tmp_path / "cache").ensure(entry_of(file)) == [path]
    assert not (tmp_path / "cache").exists()

    for file, code in (
        (WeightFile(path=path, sha256="0" * 64), "weights_corrupt"),
        (WeightFile(path=tmp_path / "none.safetensors"), "weights_missing"),
    ):
        with pytest.raises(FatalError) as caught:
            puller_in(tmp_path / "cache").ensure(entry_of(file))
        assert caught.value.code == code
    assert path.read_bytes() == DATA


def test_a_redirect_of_a_plain_address_is_followed(served: Hub, tmp_path: Path) -> None:
    address = f"{served.endpoint}/someone/songs/resolve/main/net.safetensors"
    served.moods.append("cut:100")

    assert puller_in(tmp_path).ensure(entry_of(url_file(served, url=address)))[0].read_bytes() == DATA


def test_a_disk_that_fills_up_is_not_left_full(served: Hub, file: WeightFile, tmp_path: Path) -> None:
    puller = puller_in(tmp_path)
    part = puller.store.part(file)
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(TransientError) as caught:
        puller.ensure(entry_of(file))

    assert caught.value.code == "cache_full"
    assert leftovers(tmp_path) == []
    assert puller.ensure(entry_of(file))[0].read_bytes() == DATA


def test_a_folder_that_can_only_be_read_serves_what_it_has(served: Hub, file: WeightFile, tmp_path: Path) -> None:
    puller = puller_in(tmp_path / "cache")
    (path,) = puller.ensure(entry_of(file))

    with read_only(tmp_path / "cache"):
        assert puller.ensure(entry_of(file)) == [path]
        other = url_file(served, sha256="1" * 64)
        with pytest.raises(FatalError, match="STEMSVC_CACHE_DIR") as caught:
            puller.ensure(entry_of(other))

    assert caught.value.code == "cache_read_only"


PULL = """
import sys
from collections.abc import Iterator
from pathlib import Path
from tests.stemsvc.models.cases import entry_of, puller_in
from stemsvc.models.source import WeightFile
puller_in(Path(sys.argv[1])).ensure(entry_of(WeightFile.model_validate_json(sys.argv[2])))
"""


def test_a_power_cut_in_the_middle_costs_the_rest_of_the_download_only(
    served: Hub, file: WeightFile, tmp_path: Path
) -> None:
    # given a process that is killed while bytes come
    served.moods.append("stall:200000")
    command = [sys.executable, "-c", PULL, str(tmp_path), file.model_dump_json()]
    environment = plain_environment(HF_ENDPOINT=served.endpoint)
    process = subprocess.Popen(command, env=environment)
    part = puller_in(tmp_path).store.part(file)
    wait_for("half of the file", lambda: part.exists() and part.stat().st_size >= 196608)
    process.kill()
    process.wait()
    assert puller_in(tmp_path).store.check(file) is State.MISSING

    # when another one takes over
    before = len(served.requests)
    subprocess.run(command, env=environment, check=True, timeout=60)

    # then it goes on from there, and the file is whole
    assert puller_in(tmp_path).store.place(file).read_bytes() == DATA
    assert {asked for _, _, asked in served.requests[before:] if asked} == {"bytes=196608-"}
    assert leftovers(tmp_path) == []


@pytest.mark.long
def test_processes_that_share_a_folder_download_once(served: Hub, file: WeightFile, tmp_path: Path) -> None:
    served.moods.append("slow:3")
    command = [sys.executable, "-c", PULL, str(tmp_path), file.model_dump_json()]
    environment = plain_environment(HF_ENDPOINT=served.endpoint)
    processes = [subprocess.Popen(command, env=environment) for _ in range(3)]

    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert served.bodies() == 1
    assert puller_in(tmp_path).store.check(file) is State.HERE


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder as a read-only volume: by a mount where we may, for nothing else stops root."""
    if os.geteuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    subprocess.run(["mount", "--bind", "-o", "ro", str(folder), str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
