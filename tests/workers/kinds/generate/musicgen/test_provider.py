"""MusicGen's real code path with a tiny random network that the catalog pulls: exact, repeatable, cancellable."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemsvc.errors import UsageError
from stemsvc.kinds.generate.kind import KIND
from stemsvc.kinds.generate.params import MELODY, ORIGINAL
from stemsvc.models.catalog import load_catalog
from stemsvc.music.genres import STEMS
from stemsvc.settings import Settings
from tests.hub import Hub
from tests.sounds import tone
from tests.workers.kinds.generate.musicgen.tiny import catalog_file, tiny
from tests.workers.kinds.running import FLOAT, decoded, float_wav
from workers.kinds.local import Ran, ran

RATE = 44100
ASKED = {"prompt": "a dark slow tune", "duration": 5.25, "model": "tiny"}


@contextmanager
def work(
    asked: dict[str, Any],
    files: list[tuple[str, Path]] | None = None,
    show: Callable[[str, int, int], None] = lambda *_: None,
) -> Iterator[Ran]:
    """As a command does the work, by the environment's settings."""
    settings, inputs = Settings(), files or []
    catalog = load_catalog(settings.catalog, accepted=settings.licences)
    params = KIND.check(KIND.read(asked), [role for role, _ in inputs], catalog)
    with ran(KIND, params, inputs, FLOAT, settings, show) as found:
        yield found


@pytest.mark.usefixtures("catalog")
def test_a_pulled_model_makes_the_exact_length_and_the_same_bytes_without_a_network(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int, int]] = []
    with work(ASKED, show=lambda *each: told.append(each)) as first:
        sound, rate = decoded(first.made.files["mix"].path, tmp_path)
        digest, facts = first.made.files["mix"].digest, first.made.facts
    assert (len(sound), rate) == (round(5.25 * RATE), RATE)
    assert np.abs(sound).max() > 0.01
    assert (facts["model"], facts["duration"], facts["tries"]) == ("tiny", 5.25, 1)
    assert "form" not in facts
    assert [each.code for each in first.warnings] == ["slow_on_cpu"]
    steps = [(done, of) for stage, done, of in told if stage == "generating"]
    assert steps == [(at, len(steps)) for at in range(1, len(steps) + 1)]
    assert len(steps) > 5.25 * 50
    assert served.bodies() >= 1

    asked_before = len(served.requests)
    _forget()
    monkeypatch.setenv("STEMSVC_OFFLINE", "true")
    monkeypatch.setattr(socket.socket, "connect", _refuse)
    with work(ASKED) as again, work({**ASKED, "seed": 1}) as other:
        assert again.made.files["mix"].digest == digest
        assert other.made.files["mix"].digest != digest
    assert len(served.requests) == asked_before


@pytest.mark.usefixtures("catalog")
@pytest.mark.long
def test_its_stems_sum_to_its_mix(tmp_path: Path) -> None:
    with work({**ASKED, "duration": 5, "stems": True}) as made:
        sounds = {name: decoded(made.made.files[name].path, tmp_path)[0] for name in ("mix", *STEMS)}
        codes = [each.code for each in made.warnings]
    assert {len(each) for each in sounds.values()} == {5 * RATE}
    assert np.abs(sum(sounds[name] for name in STEMS) - sounds["mix"]).max() < 1e-6
    assert sorted(codes) == ["demo_model", "slow_on_cpu"]  # the hub of this test has no weights of htdemucs


@pytest.mark.usefixtures("catalog")
def test_who_cancels_is_heard_between_two_steps() -> None:
    class Canceled(Exception):
        pass

    done_steps: list[int] = []

    def show(stage: str, done: int, of: int) -> None:
        if stage == "generating":
            done_steps.append(done)
            if done == 7:
                raise Canceled

    with pytest.raises(Canceled), work(ASKED, show=show):
        pass
    assert done_steps[-1] == 7


@pytest.mark.parametrize("channels", [2])
def test_a_stereo_model_makes_two_different_sides(
    channels: int, served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEMSVC_CATALOG", str(catalog_file(tmp_path, "wide", channels)))
    with work({**ASKED, "duration": 5, "model": "wide"}) as made:
        sound, _ = decoded(made.made.files["mix"].path, tmp_path)
    assert np.abs(sound[:, 0] - sound[:, 1]).max() > 0.001


def test_a_melody_changes_what_a_model_that_follows_one_makes(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEMSVC_CATALOG", str(catalog_file(tmp_path, "tuneful", 1, True)))
    asked = {**ASKED, "duration": 5, "model": "tuneful"}
    song = float_wav(tmp_path / "line.wav", tone(3, RATE))
    with work(asked) as without, work(asked, [(MELODY, song)]) as followed:
        assert without.made.files["mix"].digest != followed.made.files["mix"].digest
        assert followed.made.facts["model"] == "tuneful"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"files": []}, "models add"),
        ({"sample_rate": 24000}, "at 32000 Hz"),
        ({"family": "musicgen_melody"}, ""),
    ],
)
def test_where_it_can_not_be_had_or_fails_sketch_takes_its_place_and_says_so(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], why: str
) -> None:
    monkeypatch.setenv("STEMSVC_CATALOG", str(catalog_file(tmp_path, **fields)))
    with work({**ASKED, "duration": 5}) as made:
        assert made.made.facts["model"] == "sketch"
        assert made.made.facts["quality"]["score"] > 0.5
        (warning,) = made.warnings
    assert warning.code == "model_replaced"
    assert "sketch made this in place of tiny" in warning.detail
    assert why in warning.detail


@pytest.mark.usefixtures("catalog")
def test_offline_without_weights_and_without_the_library_sketch_takes_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STEMSVC_OFFLINE", "true")
    with work({**ASKED, "duration": 5}) as made:
        (warning,) = made.warnings
    assert (made.made.facts["model"], warning.code) == ("sketch", "model_replaced")
    assert "STEMSVC_OFFLINE" in warning.detail

    monkeypatch.setattr("workers.kinds.generate.musicgen.provider.LIBRARY", "no_such_library")
    with work({**ASKED, "duration": 5}) as made:
        assert "stemsvc[musicgen]" in made.warnings[0].detail


@pytest.mark.usefixtures("catalog")
def test_a_licence_that_forbids_commerce_is_accepted_by_setting_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_ACCEPT_LICENCES", "MIT, GPL-3.0")
    with pytest.raises(UsageError) as caught, work(ASKED):
        pass
    assert caught.value.code == "licence_not_accepted"
    assert "STEMSVC_ACCEPT_LICENCES=CC-BY-NC-4.0" in caught.value.detail
    assert caught.value.status == 422


@pytest.mark.usefixtures("catalog")
def test_what_it_can_not_follow_is_refused(tmp_path: Path) -> None:
    song = float_wav(tmp_path / "line.wav", tone(1, RATE))
    for asked, files in (
        ({**ASKED, "form": ("verse", "chorus")}, []),
        (ASKED, [(ORIGINAL, song)]),
        (ASKED, [(MELODY, song)]),
        ({"model": "sketch"}, [(MELODY, song)]),
        ({"model": "no_such_model"}, []),
    ):
        with pytest.raises(UsageError) as caught, work(asked, files):
            pass
        assert caught.value.code == "bad_options"


def test_the_tiny_files_are_those_that_a_generator_needs() -> None:
    assert set(tiny()) == {"config.json", "tokenizer.json", "model.safetensors"}


def _forget() -> None:
    from workers.kinds.generate.musicgen.load import drop

    drop()


def _refuse(*_: object) -> None:
    raise AssertionError("the network was asked")
