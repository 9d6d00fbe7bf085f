"""Reaper's projects, read back by PyPI's `rpp`."""

from __future__ import annotations

import os
import zipfile
from typing import Any

import pytest

from tests.workers.kinds.export.conftest import NAMES, Exported
from workers.kinds.export.reaper import quoted


def read_back(song: Exported) -> Any:
    if not os.environ.get("CI"):
        pytest.importorskip("rpp", reason="needs the dev extra rpp")
    import rpp

    with zipfile.ZipFile(song.made.files["reaper"].path) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".rpp"))
        return rpp.loads(archive.read(name).decode())


def test_a_reader_finds_the_tracks_their_files_and_the_markers(song: Exported) -> None:
    project = read_back(song)
    tracks = project.findall(".//TRACK")
    assert [track.find("NAME")[1] for track in tracks] == [name.replace('"', '"') for name in readable()]
    files = [track["file"] for track in song.made.facts["tracks"]]
    assert [source.find("FILE")[1] for source in project.findall(".//SOURCE")] == [f"media/{file}" for file in files]
    markers = [each for each in project if isinstance(each, list) and each[0] == "MARKER"]
    assert [(float(at), name) for _, _, at, name, *_ in markers] == [(0.0, "A & <b>"), (1.5, 'B "2"')]


def readable() -> list[str]:
    """The tracks' names; one that has all three quotation marks loses its backtick."""
    return [name.replace("`", "'") if all(mark in name for mark in "\"'`") else name for name in NAMES]


def test_the_tempo_has_its_points(song: Exported) -> None:
    with zipfile.ZipFile(song.made.files["reaper"].path) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".rpp"))
        lines = [line.split() for line in archive.read(name).decode().splitlines()]
    points = [line for line in lines if line[0] == "PT"]
    assert float(points[-1][2]) == pytest.approx(120)
    assert lines[1][0] == "TEMPO"


@pytest.mark.parametrize(
    ("name", "written"),
    [("a", '"a"'), ('a"b', "'a\"b'"), ("a\"b'c", "`a\"b'c`"), ("\"'`", "`\"''`"), ("<X>", '"<X>"'), ("> y", '"> y"')],
)
def test_names_are_quoted_by_marks_that_are_not_in_them(name: str, written: str) -> None:
    assert quoted(name) == written
