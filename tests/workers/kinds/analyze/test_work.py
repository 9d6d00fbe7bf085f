"""Analyses of whole files, good and bad."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemsvc.errors import BadOptions, SamplesNotFinite, StemsMismatch
from stemsvc.kinds.analyze import KIND
from tests.sounds import Sound
from tests.workers.audio.analysis.music import beat_times, groove
from tests.workers.kinds.running import FLOAT, decoded, float_wav, work
from workers.kinds.analyze.click import HERTZ
from workers.kinds.local import Ran

RATE = 44100
BEATS = beat_times(120.0, 33)


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mono = groove(BEATS, rate=RATE)
    samples = np.stack([mono, 0.8 * mono], axis=1)
    return float_wav(tmp_path_factory.mktemp("song") / "song.wav", (0.5 * samples).astype(np.float32), RATE)


@pytest.fixture(scope="module")
def found(song: Path) -> Iterator[Ran]:
    with work(KIND, {"click": "alone"}, [("source", song)]) as ran:
        yield ran


def test_a_song_is_told_in_facts_and_in_a_file(found: Ran) -> None:
    facts = found.made.facts

    assert facts["bpm"] == pytest.approx(120.0, rel=1e-3)
    assert (facts["time_signature"], facts["key"], facts["camelot"], facts["open_key"]) == (
        "4/4",
        "A minor",
        "8A",
        "1m",
    )
    assert [each["label"] for each in facts["chords"][:4]] == ["Am", "F", "Dm", "E"]
    assert facts["tuning_hz"] == pytest.approx(440, abs=1.5)
    assert facts["loudness"]["integrated_lufs"] < 0
    assert facts["stereo"]["correlation"] > 0.99
    assert facts["stems"] == "none"
    told = json.loads(found.made.files["analysis"].path.read_text(encoding="utf-8"))
    assert told == facts


def test_the_picture_is_svg_without_script_or_foreign_text(found: Ran) -> None:
    import xml.etree.ElementTree as ElementTree

    picture = found.made.files["picture"]
    root = ElementTree.fromstring(picture.path.read_text(encoding="utf-8"))

    assert picture.content_type == "image/svg+xml"
    assert {each.tag.rsplit("}")[-1] for each in root.iter()} <= {"svg", "rect", "path", "line", "text"}
    assert {"Am", "F", "Dm", "E"} <= {each.text for each in root.iter() if each.tag.endswith("text")}


def test_clicks_begin_on_the_beats_to_the_sample(found: Ran, tmp_path: Path) -> None:
    samples, rate = decoded(found.made.files["click"].path, tmp_path)
    facts = found.made.facts

    assert len(samples) == found.made.source["frames"]
    starts = [round(beat * rate) for beat in facts["beats"]]
    assert all(samples[at, 0] != 0 and not samples[at - 40 : at].any() for at in starts if at > 40)
    silent = np.ones(len(samples), bool)
    for at in starts:
        silent[at : at + round(0.05 * rate)] = False
    assert not samples[silent].any()
    first = round(facts["downbeats"][1] * rate)
    spectrum = np.abs(np.fft.rfft(samples[first : first + 1764, 0]))
    assert np.fft.rfftfreq(1764, 1 / rate)[spectrum.argmax()] > 1.2 * HERTZ


def test_clicks_mixed_with_a_song_change_no_sample_between_them(song: Path, tmp_path: Path) -> None:
    """The null test: where no click sounds, the song is the same to the last bit; without beats it is so everywhere."""
    before, rate = decoded(song, tmp_path)
    with work(KIND, {"click": "mixed", "picture": False}, [("source", song)]) as ran:
        after, _ = decoded(ran.made.files["click"].path, tmp_path)
        beats = ran.made.facts["beats"]
    between = np.ones(len(before), bool)
    for beat in beats:
        between[round(beat * rate) : round(beat * rate) + round(0.05 * rate)] = False
    assert between.any()
    assert after[between].tobytes() == before[between].tobytes()

    tone = float_wav(tmp_path / "tone.wav", _tone(6.0))
    with work(KIND, {"click": "mixed", "picture": False}, [("source", tone)]) as ran:
        after, _ = decoded(ran.made.files["click"].path, tmp_path)
    assert after.tobytes() == _tone(6.0).tobytes()


def _tone(seconds: float) -> Sound:
    mono = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)
    return np.asarray(np.stack([mono, mono], axis=1), np.float32)


def _square(seconds: float) -> Sound:
    return np.asarray(np.sign(_tone(seconds) + np.float32(1e-9)), np.float32)


BAD = {
    "silence": np.zeros((6 * RATE, 2), np.float32),
    "DC": np.full((6 * RATE, 2), 0.5, np.float32),
    "full-scale square": _square(6.0),
    "0.1 s": _tone(0.1),
    "one sample": np.full((1, 2), 0.5, np.float32),
    "mono": _tone(6.0)[:, :1],
    "anti-phase": _tone(6.0) * np.array([1, -1], np.float32),
}


@pytest.mark.parametrize("what", BAD)
def test_what_can_t_be_said_is_null(what: str, tmp_path: Path) -> None:
    with work(KIND, {"click": "alone"}, [("source", float_wav(tmp_path / "song.wav", BAD[what]))]) as ran:
        facts: dict[str, Any] = dict(ran.made.facts)
        told = json.loads(ran.made.files["analysis"].path.read_text(encoding="utf-8"))
        clicks, _ = decoded(ran.made.files["click"].path, tmp_path)

    assert told == facts
    assert facts["bpm"] is None
    assert facts["bpm_confidence"] is None
    assert facts["beats"] == facts["downbeats"] == facts["bpm_candidates"] == []
    assert facts["time_signature"] is None
    assert not clicks.any()
    if what in ("silence", "DC", "0.1 s", "one sample"):
        assert (facts["key"], facts["camelot"], facts["chords"]) == (None, None, [])
    if what == "silence":
        assert facts["loudness"] == dict.fromkeys(facts["loudness"])
        assert facts["silence"]["silent"] is True
    if what == "full-scale square":
        assert facts["clipping"]["clipped_samples"] > 5 * RATE
    if what == "mono":
        assert facts["stereo"]["correlation"] is None
    if what == "anti-phase":
        assert facts["stereo"]["correlation"] == -1
        assert facts["loudness"]["integrated_lufs"] is not None


def test_samples_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    samples = _tone(1.0)
    samples[1000] = np.nan
    with (
        pytest.raises(SamplesNotFinite),
        work(KIND, {}, [("source", float_wav(tmp_path / "song.wav", samples))]),
    ):
        pass


def test_given_stems_are_heard_in_place_of_the_drums(song: Path, tmp_path: Path) -> None:
    harmony, _ = decoded(song, tmp_path)
    stems = [
        ("stem", float_wav(tmp_path / f"song - {name}.wav", sound))
        for name, sound in {"bass": 0 * harmony, "other": harmony, "drums": _tone(len(harmony) / RATE)}.items()
    ]
    with work(KIND, {"picture": False}, [("source", song), *stems]) as ran:
        assert ran.made.facts["stems"] == "given"
        assert ran.made.facts["key"] == "A minor"

    short = [("stem", float_wav(tmp_path / f"{name}.wav", _tone(3.0))) for name in ("bass", "other")]
    with pytest.raises(StemsMismatch, match=r"3\.00 s"), work(KIND, {}, [("source", song), *short]):
        pass
    drums = ("stem", float_wav(tmp_path / "drums.wav", _tone(3.0)))
    with pytest.raises(StemsMismatch, match="without drums"), work(KIND, {}, [("source", song), drums]):
        pass
    with pytest.raises(BadOptions), work(KIND, {"use_stems": "never"}, [("source", song), drums]):
        pass


class _CanceledError(Exception):
    pass


def test_a_cancel_stops_it_within_a_second(song: Path) -> None:
    """It asks often enough, in every stage: between two reports there is never a second."""
    gaps: list[float] = []
    before = time.process_time()

    def show(stage: str, done: int, of: int) -> None:
        nonlocal before
        now = time.process_time()
        gaps.append(now - before)
        before = now

    with work(KIND, {"click": "alone"}, [("source", song)], FLOAT, show):
        pass
    assert max(gaps) < 1

    def cancel(stage: str, done: int, of: int) -> None:
        if stage == "analyzing" and done > 0:
            raise _CanceledError

    with pytest.raises(_CanceledError), work(KIND, {}, [("source", song)], FLOAT, cancel):
        pass
