"""Whether weights can be had: asked shortly, fetched once, and not asked again for some minutes after a failure."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stemsvc.models import transfer
from stemsvc.models.available import Availability
from stemsvc.models.source import WeightFile
from tests.hub import Hub
from tests.stemsvc.models.cases import DATA, entry_of, hub_file, puller_in


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that takes connections and never answers."""
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(transfer, "CONNECT_SECONDS", 3.0)  # the thread that asks ends within the test session
        yield


def test_missing_weights_are_fetched_with_progress(served: Hub, file: WeightFile, tmp_path: Path) -> None:
    seen: list[int] = []

    why = Availability(puller_in(tmp_path)).lacking(entry_of(file), lambda file, done, total: seen.append(done))

    assert why is None
    assert seen[-1] == len(DATA)
    assert puller_in(tmp_path).store.place(file).read_bytes() == DATA


def test_weights_that_are_here_need_no_network(served: Hub, tmp_path: Path) -> None:
    puller_in(tmp_path).ensure(entry_of(hub_file()))
    asked = len(served.requests)

    assert Availability(puller_in(tmp_path)).lacking(entry_of(hub_file())) is None
    assert len(served.requests) == asked


def test_offline_nothing_is_asked_or_remembered(served: Hub, tmp_path: Path) -> None:
    why = Availability(puller_in(tmp_path, offline=True)).lacking(entry_of(hub_file()))

    assert why is not None
    assert "STEMSVC_OFFLINE" in why
    assert not served.requests
    assert Availability(puller_in(tmp_path)).lacking(entry_of(hub_file())) is None


def test_a_network_that_is_silent_is_given_up_soon_and_for_minutes(deaf: None, tmp_path: Path) -> None:
    began = time.monotonic()
    why = Availability(puller_in(tmp_path), probe=0.3).lacking(entry_of(hub_file()))
    first = time.monotonic() - began
    again = Availability(puller_in(tmp_path), probe=60.0).lacking(entry_of(hub_file()))  # another process's

    assert why is not None
    assert "no answer" in why
    assert again == why
    assert first < 2.5
    assert time.monotonic() - began - first < 1.0


def test_after_the_minutes_it_is_tried_again(served: Hub, tmp_path: Path) -> None:
    served.denied.add("someone/songs")
    assert Availability(puller_in(tmp_path)).lacking(entry_of(hub_file())) is not None
    served.denied.clear()

    assert Availability(puller_in(tmp_path)).lacking(entry_of(hub_file())) is not None
    assert Availability(puller_in(tmp_path), remembered=0.0).lacking(entry_of(hub_file())) is None


@pytest.mark.parametrize(
    ("moods", "words"),
    [
        (["wrong", "wrong"], "not what the catalog says"),
        (["500"] * 4, "500"),
        (["reset:1"] * 4, "did not come"),
    ],
)
def test_what_breaks_on_the_way_is_a_reason(served: Hub, tmp_path: Path, moods: list[str], words: str) -> None:
    served.moods += moods

    why = Availability(puller_in(tmp_path)).lacking(entry_of(hub_file()))

    assert why is not None
    assert words in why


def test_weights_that_the_hub_changed_are_a_reason(served: Hub, tmp_path: Path) -> None:
    why = Availability(puller_in(tmp_path)).lacking(entry_of(hub_file(sha256="0" * 64)))

    assert why is not None
    assert "not those of the catalog" in why


def test_a_folder_that_can_not_be_written_is_a_reason(served: Hub, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_text("a file where the folder should be")

    assert Availability(puller_in(file)).lacking(entry_of(hub_file())) is not None


def test_what_is_known_without_asking(served: Hub, tmp_path: Path) -> None:
    known = Availability(puller_in(tmp_path))
    assert known.refused(entry_of(hub_file())) is None  # it may come
    assert "nothing says" in str(known.refused(entry_of(hub_file(sha256=None))))
    assert "is not there" in str(known.refused(entry_of(WeightFile(path=tmp_path / "mine.th"))))
    assert "STEMSVC_OFFLINE" in str(Availability(puller_in(tmp_path, offline=True)).refused(entry_of(hub_file())))
    known.remember(entry_of(hub_file()), "the hub is down")
    assert Availability(puller_in(tmp_path)).refused(entry_of(hub_file())) == "the hub is down"
    assert Availability(puller_in(tmp_path), remembered=0).refused(entry_of(hub_file())) is None
    assert Availability(puller_in(tmp_path)).lacking(entry_of(hub_file(size=None))) == "the hub is down"
    assert served.bodies() == 0

    # what is here is here, whatever was the matter before
    assert Availability(puller_in(tmp_path), remembered=0).lacking(entry_of(hub_file())) is None
    assert known.refused(entry_of(hub_file())) is None


def test_many_fetch_once(served: Hub, tmp_path: Path) -> None:
    served.moods += ["slow:0.5"]
    found: list[str | None] = []

    _together(4, lambda: found.append(Availability(puller_in(tmp_path)).lacking(entry_of(hub_file()))))

    assert found == [None] * 4
    assert served.bodies() == 1


def test_those_who_waited_for_a_failure_do_not_fail_one_after_another(served: Hub, tmp_path: Path) -> None:
    # given a download that comes to nothing after a while, which others wait for
    served.moods += ["stall:1"] * 20
    found: list[str | None] = []

    _together(4, lambda: found.append(Availability(puller_in(tmp_path, pauses=())).lacking(entry_of(hub_file()))))

    assert len(found) == 4
    assert all(found)
    assert served.bodies() <= 2


def _together(count: int, act: object) -> None:
    threads = [threading.Thread(target=act) for _ in range(count)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
