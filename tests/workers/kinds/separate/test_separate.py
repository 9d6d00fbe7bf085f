"""From a file to files: what adds up, what is exact, and what ends it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from stemsvc.demo.render import STEMS, render_song
from stemsvc.errors import TransientError
from stemsvc.host import processor
from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.part import Part
from stemsvc.kinds.separate.kind import SeparateParams
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.kinds.separate.stems import choose
from stemsvc.models.catalog import load_catalog
from tests.sounds import Sound, write_sound
from tests.specs import params_of, spec_of
from tests.workers.engine.reference import assert_faithful, snr, upstream
from workers.audio.decode import Limits, decode
from workers.audio.rate import resample
from workers.engine.separate import Separator
from workers.host.models import Models
from workers.kinds.separate.separate import Separated, separate_file

ENTRY = load_catalog().get("demo")
RATE = 44100


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def song() -> Sound:
    song: Sound = np.sum(list(render_song(9510, 5.0).values()), axis=0).T.astype(np.float32)
    return song


def run(models: Models, source: Path, folder: Path, stems: str = "", **changes: Any) -> Separated:
    folder.mkdir()
    residual = bool(changes.get("residual"))
    wanted = choose(tuple(filter(None, stems.split(","))), STEMS, residual)
    spec = spec_of("demo", stems=wanted, **{"format": "wav", "bit_depth": "float32", **changes})
    return separate_file(
        source, folder, params_of(spec), spec.encoding, ENTRY, "cpu", models, Limits(60), lambda *progress: None
    )


def read(separated: Separated) -> dict[str, Sound]:
    sounds = {}
    for name, encoded in separated.outputs.items():
        track = decode(encoded.path, encoded.path.with_suffix(".back"), Limits(60))
        assert (track.frames, track.sample_rate) == (encoded.frames, encoded.sample_rate)
        sounds[name] = track.samples()
    return sounds


QUICK = {("", 48000), ("minus_vocals", 44100)}  # of the ways to ask, those that are heard in short tests


@pytest.mark.parametrize(
    ("stems", "rate"),
    [
        pytest.param(stems, rate, marks=[] if (stems, rate) in QUICK else pytest.mark.long)
        for stems in ("", "vocals", "no_vocals,vocals", "minus_vocals", "no_drums")
        for rate in (44100, 48000, 8000, 96000)
    ],
)
def test_all_files_together_are_the_mixture(models: Models, song: Sound, tmp_path: Path, rate: int, stems: str) -> None:
    mixture = resample(song, RATE, rate)[: rate * 3 + 7]
    source = write_sound(tmp_path / "song-float.wav", mixture, rate)
    separated = run(models, source, tmp_path / "out", stems, residual=True)

    sounds = read(separated)
    assert list(sounds) == [*choose(tuple(filter(None, stems.split(","))), STEMS), "residual"]
    assert {
        (len(sound), encoded.sample_rate)
        for sound, encoded in zip(sounds.values(), separated.outputs.values(), strict=True)
    } == {(len(mixture), rate)}
    together = np.sum([sound.astype(np.float64) for sound in sounds.values()], axis=0)
    assert np.abs(together - mixture).max() <= 1e-6


def test_everything_but_a_stem_comes_in_two_forms(models: Models, song: Sound, tmp_path: Path) -> None:
    source = write_sound(tmp_path / "song-float.wav", song, RATE)
    stems = read(run(models, source, tmp_path / "stems"))
    but = read(run(models, source, tmp_path / "but", "minus_vocals,no_vocals"))

    # the sum of the other stems is upstream's form; the cheap one keeps what the model gave to no stem
    np.testing.assert_allclose(but["no_vocals"], stems["drums"] + stems["bass"] + stems["other"], atol=1e-7)
    np.testing.assert_allclose(but["minus_vocals"], song - stems["vocals"], atol=1e-7)
    assert np.abs(but["no_vocals"] - but["minus_vocals"]).max() > 1e-4


def bag_of(models: Models) -> Any:
    """Upstream's own networks, as they are loaded."""
    separator = models.get(ENTRY, "cpu", "auto")
    assert isinstance(separator, Separator)
    return separator._bag


def test_stems_of_a_file_agree_with_upstream(models: Models, song: Sound, tmp_path: Path) -> None:
    source = write_sound(tmp_path / "song-float.wav", song, RATE)

    assert_faithful(read(run(models, source, tmp_path / "out")), upstream(bag_of(models), song))


def test_mono_of_8_khz_agrees_with_upstream(models: Models, song: Sound, tmp_path: Path) -> None:
    mono = resample(song, RATE, 8000)[:, :1]
    source = tmp_path / "song.wav"
    soundfile.write(source, mono, 8000, subtype="FLOAT")
    got = read(run(models, source, tmp_path / "out"))

    at_rate = resample(np.repeat(mono, 2, axis=1), 8000, RATE)
    wanted = upstream(bag_of(models), at_rate)
    for stem, sound in got.items():
        assert snr(sound, resample(wanted[stem], RATE, 8000, len(mono))) >= 100


def test_a_part_of_a_track_is_separated_as_a_track_of_its_own(models: Models, song: Sound, tmp_path: Path) -> None:
    whole = write_sound(tmp_path / "song-float.wav", song, RATE)
    cut = write_sound(tmp_path / "cut.wav", song[RATE : 3 * RATE], RATE, kind="song-float.wav")
    part = read(run(models, whole, tmp_path / "part", part=Part(start=1.0, end=3.0)))
    alone = read(run(models, cut, tmp_path / "alone"))

    for stem, sound in alone.items():
        np.testing.assert_array_equal(part[stem], sound)


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "aac", "opus"])
@pytest.mark.long
def test_mono_stays_mono_where_the_sources_channels_are_asked_for(
    models: Models, song: Sound, tmp_path: Path, format: str
) -> None:
    depth = {"wav": "float32", "flac": "24"}.get(format)
    mono = write_sound(tmp_path / "song-float.wav", song[: 2 * RATE, :1], RATE, "mono")
    stereo = read(run(models, mono, tmp_path / "stereo", "vocals,drums", residual=True))
    done = run(
        models,
        mono,
        tmp_path / "mono",
        "vocals,drums",
        residual=True,
        channels="source",
        format=format,
        bit_depth=depth,
    )

    for name, encoded in done.outputs.items():
        track = decode(encoded.path, tmp_path / "back", Limits(60))
        assert (track.channels, encoded.channels, encoded.facts["channels"]) == (1, 1, 1)
        assert track.seconds == 2.0
        if depth:
            np.testing.assert_allclose(track.samples()[:, 0], stereo[name].mean(axis=1), atol=2e-7)


def test_stereo_and_more_stay_stereo_where_the_sources_channels_are_asked_for(
    models: Models, song: Sound, tmp_path: Path
) -> None:
    wide = np.pad(song[:RATE], ((0, 0), (0, 4)))
    done = run(models, write_sound(tmp_path / "song-float.wav", wide, RATE, "5.1"), tmp_path / "o", channels="source")

    assert done.track.channels == 6
    assert {encoded.channels for encoded in done.outputs.values()} == {2}


def test_a_full_disk_while_encoding_is_an_error_and_ends_the_threads(
    models: Models, song: Sound, tmp_path: Path
) -> None:
    # given an output that is the device which is always full
    source = write_sound(tmp_path / "song-float.wav", song, RATE)

    class Full(Models):
        def get(self, *key: Any) -> Any:
            (tmp_path / "out" / "vocals.wav").symlink_to("/dev/full")
            return models.get(*key)

    with pytest.raises(TransientError) as caught:
        run(Full(), source, tmp_path / "out")
    assert caught.value.code == "scratch_full"
    assert not [thread for thread in _threads() if thread.startswith("encode-")]


class Stop(Exception):
    pass


@pytest.mark.long
def test_a_cancel_ends_the_encoders_too(models: Models, song: Sound, tmp_path: Path) -> None:
    source = write_sound(tmp_path / "song-float.wav", song, RATE)
    (tmp_path / "out").mkdir()

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "separating" and done:
            raise Stop

    params, encoding = SeparateParams("demo", STEMS), Encoding("wav", "16")
    with pytest.raises(Stop):
        separate_file(source, tmp_path / "out", params, encoding, ENTRY, "cpu", models, Limits(60), stop)
    assert not [thread for thread in _threads() if thread.startswith("encode-")]


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("flags", [{"avx2"}, {"avx512f", "avx512_bf16"}], ids=["without bf16", "with bf16"])
def test_who_asks_for_fast_where_it_gains_nothing_is_told(
    song: Sound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: set[str]
) -> None:
    # given a processor that has bf16, or has none
    monkeypatch.setattr(processor, "flags", lambda: frozenset(flags))
    monkeypatch.setattr(processor, "vendor", lambda: "AuthenticAMD")
    source = write_sound(tmp_path / "song.wav", song[:RATE], RATE)
    # when a job asks for `fast`
    found = run(Models(cache=tmp_path / "cache"), source, tmp_path / "out", options=SeparationOptions(precision="fast"))
    # then it hears of full precision where it was that
    told = [warning.code for warning in found.track.warnings]
    assert told == ([] if "avx512_bf16" in flags else ["full_precision"])
