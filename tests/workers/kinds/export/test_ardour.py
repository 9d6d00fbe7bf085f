"""Ardour's sessions: well formed here, and rendered by Ardour itself where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from tests.programs import absent
from tests.workers.kinds.export.conftest import NAMES, STEMS, Exported

EXPORT = next(filter(None, map(shutil.which, ("ardour8-export", "ardour7-export"))), None)


@pytest.fixture(scope="module")
def unpacked(song: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ardour")
    with zipfile.ZipFile(song.made.files["ardour"].path) as archive:
        archive.extractall(folder)
    (session,) = folder.iterdir()
    return session


def test_identifiers_are_unique_and_every_one_that_is_referred_to_exists(unpacked: Path) -> None:
    root = ElementTree.parse(unpacked / f"{unpacked.name}.ardour").getroot()
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    assert int(root.get("id-counter", "0")) > max(int(each or 0) for each in ids)
    for region in root.iter("Region"):
        for channel in range(int(region.get("channels", "0"))):
            assert region.get(f"source-{channel}") in ids
    playlists = {each.get("id") for each in root.findall("./Playlists/Playlist")}
    tracks = [route for route in root.findall("./Routes/Route") if route.get("name") != "Master"]
    assert {track.get("audio-playlist") for track in tracks} == playlists
    assert [str(track.get("name"))[3:] for track in tracks] == list(NAMES)


def test_every_source_lies_where_ardour_looks_for_it(unpacked: Path) -> None:
    root = ElementTree.parse(unpacked / f"{unpacked.name}.ardour").getroot()
    place = unpacked / "interchange" / unpacked.name / "audiofiles"
    assert {source.get("name") for source in root.iter("Source")} == {path.name for path in place.iterdir()}


def test_ardour_renders_the_sum_of_the_stems(unpacked: Path, song: Exported, tmp_path: Path) -> None:
    export = EXPORT or absent("ardour-export")
    mix = tmp_path / "mix.wav"
    command = [export, "-b", "float", "-o", str(mix), str(unpacked), unpacked.name]
    done = subprocess.run(
        command, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=300
    )
    assert mix.exists(), done.stdout + done.stderr
    heard = soundfile.read(mix, always_2d=True)[0]
    wanted = np.zeros((round(3.0 * 44_100), 2))
    for name, *_ in STEMS:
        wanted[: len(song.sounds[name])] += song.sounds[name]
    assert np.abs(heard[: len(wanted)] - wanted).max() < 1e-4
