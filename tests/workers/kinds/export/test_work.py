"""Exports: what they hold is what came, to the bit."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import soundfile

from stemsvc.errors import BadOptions
from stemsvc.kinds.export.kind import ExportParams
from tests.workers.kinds.export.conftest import ANALYSIS, NAMES, RATE, STEMS, Exported, exported
from workers.kinds.export.archive import distinct

FOLDERS = {"reaper": "media", "ardour": "audiofiles", "dawproject": "audio", "zip": ""}


def read(archive: zipfile.ZipFile, member: str) -> tuple[np.ndarray, int]:
    sound, rate = soundfile.read(io.BytesIO(archive.read(member)), always_2d=True)
    return sound, rate


@pytest.mark.parametrize("target", FOLDERS)
def test_the_sound_of_a_project_is_the_stems_to_the_bit(song: Exported, target: str) -> None:
    with zipfile.ZipFile(song.made.files[target].path) as archive:
        wavs = sorted(name for name in archive.namelist() if name.endswith(".wav"))
        assert len(wavs) == len(STEMS)
        for member, (name, *_), track in zip(wavs, STEMS, song.made.facts["tracks"], strict=True):
            assert PurePosixPath(member).name == track["file"]
            sound, rate = read(archive, member)
            assert rate == RATE
            assert np.array_equal(sound, song.sounds[name])


def test_files_have_as_few_bits_as_hold_them(song: Exported) -> None:
    assert [track["bits"] for track in song.made.facts["tracks"]] == ["16", "24", "float32", "16"]


@pytest.mark.parametrize("target", [*FOLDERS, "samples"])
def test_no_name_leads_out_of_the_archive(song: Exported, target: str) -> None:
    with zipfile.ZipFile(song.made.files[target].path) as archive:
        for name in archive.namelist():
            assert not name.startswith("/")
            assert ".." not in PurePosixPath(name).parts
            assert not set('<>:"\\|?*') & set(name)
        assert archive.testzip() is None


def test_an_archive_has_the_files_as_they_came_and_says_what_each_is(song: Exported) -> None:
    with zipfile.ZipFile(song.made.files["archive"].path) as archive:
        (told,) = (name for name in archive.namelist() if name.endswith("manifest.json"))
        manifest = json.loads(archive.read(told))
        assert [each["role"] for each in manifest["files"]] == ["source"] * 4 + ["analysis"]
        for each, name in zip(manifest["files"], [*(name for name, *_ in STEMS), "analysis.json"], strict=True):
            data = archive.read(f"{PurePosixPath(told).parent}/{each['file']}")
            assert data == (song.folder / name).read_bytes()
            assert (each["bytes"], each["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert [each["seconds"] for each in manifest["tracks"]] == [seconds for *_, seconds in STEMS]


def test_files_of_one_name_get_names_of_their_own() -> None:
    assert distinct(["a.wav", "A.WAV", "a.wav", "manifest.json", "x/y"]) == [
        "a.wav", "2 A.WAV", "3 a.wav", "2 manifest.json", "x_y",
    ]  # fmt: skip


def test_samples_are_named_by_tempo_and_key_but_drums_have_none(tmp_path: Path, song: Exported) -> None:
    (tmp_path / "analysis.json").write_text(json.dumps({**ANALYSIS, "key": "F# minor"}))
    files = [song.folder / name for name, *_ in STEMS]
    made = exported(tmp_path / "work", ExportParams(("samples",), bars=1), files, tmp_path / "analysis.json")
    with zipfile.ZipFile(made.files["samples"].path) as archive:
        names = {PurePosixPath(name).parts[1]: PurePosixPath(name).name for name in archive.namelist()[:-1]}
        pack = json.loads(archive.read(archive.namelist()[-1]))
    assert names["01 drums"].endswith(" 120bpm.wav")
    assert names["02 bass"].endswith(" 120bpm F#m.wav")
    assert (pack["bpm"], pack["key"], made.facts["key"]) == (120.0, "F#m", "F# minor")


def test_the_samples_of_a_stem_follow_each_other_and_are_the_stem(song: Exported) -> None:
    with zipfile.ZipFile(song.made.files["samples"].path) as archive:
        (told,) = (name for name in archive.namelist() if name.endswith("pack.json"))
        pack = json.loads(archive.read(told))
        for name, called in zip([name for name, *_ in STEMS], NAMES, strict=True):
            parts = [each for each in pack["samples"] if each["track"] == called]
            assert [each["start_frame"] for each in parts] == list(
                np.cumsum([0, *(each["frames"] for each in parts[:-1])])
            )
            sounds = [read(archive, f"{PurePosixPath(told).parent}/{each['file']}")[0] for each in parts]
            assert np.array_equal(np.concatenate(sounds), song.sounds[name])
    edges = {each["start_frame"] for each in pack["samples"]}
    assert round(0.75 * RATE) in edges  # the first downbeat


def test_the_same_stems_make_the_same_bytes(tmp_path: Path, song: Exported) -> None:
    files = [song.folder / name for name, *_ in STEMS]
    params = ExportParams(("zip", "reaper", "ardour", "dawproject"), "t", bpm=120.0)
    first, second = (exported(tmp_path / name, params, files) for name in ("a", "b"))
    assert {name: file.digest for name, file in first.files.items()} == {
        name: file.digest for name, file in second.files.items()
    }


def test_stems_of_other_rates_are_converted_where_the_project_wants_one(tmp_path: Path) -> None:
    files = []
    for name, rate in (("a.wav", 44_100), ("b.wav", 44_100), ("c.wav", 48_000)):
        time = np.arange(rate // 2) / rate
        soundfile.write(tmp_path / name, 0.3 * np.sin(2 * np.pi * 440 * time), rate, subtype="PCM_16")
        files.append(tmp_path / name)
    made = exported(tmp_path / "work", ExportParams(("ardour", "reaper", "stem.mp4"), bpm=100.0), files)
    for target, rates in (("ardour", [44_100] * 3), ("reaper", [44_100, 44_100, 48_000])):
        with zipfile.ZipFile(made.files[target].path) as archive:
            wavs = sorted(name for name in archive.namelist() if name.endswith(".wav"))
            assert [read(archive, name)[1] for name in wavs] == rates


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[1]",
        '{"beats": [2, 1]}',
        '{"beats": "soon"}',
        '{"beats": [1, NaN]}',
        '{"sections": [{"label": "A"}]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_analysis_is_refused(tmp_path: Path, song: Exported, text: str) -> None:
    (tmp_path / "analysis.json").write_text(text)
    files = [song.folder / "drums.wav"]
    with pytest.raises(BadOptions):
        exported(tmp_path / "work", ExportParams(("reaper",)), files, tmp_path / "analysis.json")
