"""What the files of each bundled recipe contain, as a service made them of the bundled song, whose stems are known."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from tinytag import TinyTag

from stemsvc.demo.measure import Sound, loudness, read_sound, si_sdr
from tests.flow.test_recipes import OFFLINE, run
from tests.test_docs import up
from tests.workers.kinds.export.test_stem_mp4 import streams

FOLDER = Path(__file__).parents[2] / "stemsvc" / "demo" / "song"
RATE = 44100
SECONDS = 6
STEMS = ("bass", "drums", "other", "vocals")
Files = dict[str, Path]
pytestmark = pytest.mark.long


def part(name: str) -> Sound:
    """The first seconds of the bundled song, or of one of its true stems."""
    return read_sound(FOLDER / f"{name}.flac")[0][: SECONDS * RATE]


def heard(path: Path) -> Sound:
    samples, rate = read_sound(path)
    assert rate == RATE
    return samples


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with up(tmp_path_factory.mktemp("service") / "data", **OFFLINE) as url:
        yield url


@pytest.fixture
def made(service: str, tmp_path: Path, request: pytest.FixtureRequest) -> Files:
    """What the recipe makes of the song; of one with two seconds of silence, where the test asks for pauses."""
    name, *pauses = request.param.split()
    sound = part("mixture")
    if pauses:
        sound = np.concatenate([sound, np.zeros((2 * RATE, 2), np.float32), sound])
    song = tmp_path / "song.flac"
    soundfile.write(song, sound, RATE)
    return {called: Path(path) for called, path in run(tmp_path, name, str(song), "--url", service).items()}


def of(recipe: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("made", [recipe], indirect=True)


@of("karaoke")
def test_karaoke_is_the_song_without_its_singer_at_one_loudness(made: Files) -> None:
    sound = heard(made["karaoke.master"])
    assert loudness(sound, RATE) == pytest.approx(-14, abs=0.5)
    band = part("mixture") - part("vocals")
    assert si_sdr(sound, band) > si_sdr(part("mixture"), band) + 3
    told = json.loads(made["song.analysis"].read_text())
    assert re.fullmatch(r"[A-G][#b]? (major|minor)", told["key"])
    assert 40 < told["bpm"] < 250


@of("practice")
def test_practice_has_each_mix_without_one_instrument_and_clicks_on_the_beats(made: Files) -> None:
    beats = json.loads(made["beats.analysis"].read_text())["beats"]
    click = heard(made["beats.click"])
    moments = [each["time"] if isinstance(each, dict) else each for each in beats]
    assert len(moments) > 4
    near = np.zeros(len(click), bool)
    for moment in moments:
        at = max(0, round(moment * RATE))
        assert np.abs(click[at : at + RATE // 20]).max(initial=0) > 0.01 or at >= len(click) - 10, moment
        near[max(0, at - RATE // 100) : at + RATE // 5] = True
    assert np.abs(click[~near]).max(initial=0) < 1e-3  # nothing sounds between them
    for stem in STEMS:
        wanted = part("mixture") - part(stem)
        others = {each: si_sdr(heard(made[f"minus[{each}].mix"]), wanted) for each in STEMS}
        assert max(others, key=lambda each: others[each]) == stem


@of("remaster")
def test_a_remaster_is_the_song_at_the_preset_s_loudness(made: Files) -> None:
    sound = heard(made["master.master"])
    assert loudness(sound, RATE) == pytest.approx(-14, abs=0.5)
    assert np.abs(sound).max() <= 10 ** (-1 / 20) + 1e-3
    loud = [
        np.sqrt(np.square(each[: SECONDS * RATE]).reshape(-1, RATE // 20, 2).mean((1, 2)))
        for each in (sound, part("mixture"))
    ]  # by 50 ms
    assert np.corrcoef(*loud)[0, 1] > 0.7  # anew, and still this song


@of("dj")
def test_a_dj_s_file_has_the_song_four_stems_and_the_tempo(made: Files) -> None:
    (path,) = made.values()
    mix, *stems = streams(path)
    assert len(stems) == 4
    assert np.abs(mix - part("mixture")).max() < 1e-6  # the song itself
    assert si_sdr(np.sum(stems, axis=0).astype(np.float32), part("mixture")) > 10
    (bpm,) = TinyTag.get(path).other["bpm"]
    assert 40 < float(bpm) < 250


@of("archive")
def test_an_archive_has_what_it_is_made_of_to_the_bit(made: Files) -> None:
    total = np.sum([heard(made[f"split.{stem}"]) for stem in STEMS], axis=0)
    assert si_sdr(total, part("mixture")) > 10
    with zipfile.ZipFile(made["pack.archive"]) as archive:
        inside = {Path(name).name: archive.read(name) for name in archive.namelist()}
    assert len(inside) == 6
    manifest = inside.pop("manifest.json").decode()
    json.loads(manifest)
    for name, data in inside.items():
        samples, _ = soundfile.read(io.BytesIO(data), dtype="float32")
        stem = name.removesuffix(".flac").rpartition(" - ")[2]
        assert np.array_equal(samples, heard(made[f"split.{stem}"]) if stem in STEMS else part("mixture")), name
        assert name in manifest


@of("acapella-clean pauses")
def test_a_clean_acapella_is_shorter_by_its_silence_at_one_loudness(made: Files) -> None:
    (path,) = made.values()
    sound = heard(path)
    assert len(sound) < (2 * SECONDS + 0.6) * RATE
    assert loudness(sound, RATE) == pytest.approx(-16, abs=0.5)
    start = sound[: SECONDS * RATE // 2]
    voices, song = part("vocals")[: len(start)], part("mixture")[: len(start)]
    assert si_sdr(start, voices) > si_sdr(song, voices)


@of("sample-pack")
def test_a_sample_pack_has_samples_of_each_instrument_named_by_tempo(made: Files) -> None:
    with zipfile.ZipFile(made["pack.samples"]) as archive:
        sounds = {name: archive.read(name) for name in archive.namelist() if name.endswith((".wav", ".flac"))}
    (bpm,) = {re.findall(r" ([\d.]+)bpm", name)[0] for name in sounds}
    for stem in STEMS:
        frames = [len(soundfile.read(io.BytesIO(data))[0]) for name, data in sounds.items() if stem in name]
        assert sum(frames) == SECONDS * RATE  # nothing of it is lost at the cuts
        assert max(frames) / RATE == pytest.approx(16 * 60 / float(bpm), rel=0.02)  # four bars of four beats


@of("stems-to-midi")
def test_stems_become_notes_that_stand_within_the_song(made: Files) -> None:
    for name in ("all", "bass", "drums"):
        file = mido.MidiFile(made[f"notes.{name}"])
        notes = [each for each in file if each.type == "note_on" and each.velocity]
        assert notes, name
        assert file.length < SECONDS + 1
