"""Where files are saved, as Windows sees it: names, drives, devices, lengths."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
from typing import Any, cast

import pytest
from stemsvc_client.places import LONGEST, extended, place, reachable
from stemsvc_client.results import File

FOLDER = PureWindowsPath(r"D:\music\stems")


def windows_place(filename: str, name: str = "vocals") -> PureWindowsPath:
    return cast(PureWindowsPath, place(cast(Any, FOLDER), name, File(filename=filename)))


@pytest.mark.parametrize(
    ("filename", "saved"),
    [
        ("song - vocals.flac", "song - vocals.flac"),
        ("c:evil.flac", "c_evil.flac"),  # a file of another drive
        ("song.flac:stream", "song.flac_stream"),  # a stream of another file
        (r"\\server\share\x.flac", "x.flac"),
        (r"..\..\x.flac", "x.flac"),
        ('what? <is> "this" | *.flac', "what_ _is_ _this_ _ _.flac"),
        ("a\nb\x00c.flac", "abc.flac"),
        ("CON", "_CON"),
        ("aux.flac", "_aux.flac"),
        ("com¹ .flac", "_com¹ .flac"),
        ("conin$", "_conin$"),
        ("console.flac", "console.flac"),
        ("name. . .", "name"),
        ("...", "vocals"),
        (" ", "vocals"),
    ],
)
def test_a_name_is_one_plain_file_of_the_folder(filename: str, saved: str) -> None:
    found = windows_place(filename)
    assert found == FOLDER / saved
    assert (found.parent, found.drive) == (FOLDER, "D:")
    assert not found.is_reserved()


def test_an_output_whose_name_is_a_device_is_saved_too() -> None:
    assert windows_place("", "nul").name == "_nul"


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        (r"D:\music\a.flac", r"D:\music\a.flac"),
        ("D:\\" + "a" * 300, "\\\\?\\D:\\" + "a" * 300),
        ("\\\\server\\share\\" + "a" * 300, "\\\\?\\UNC\\server\\share\\" + "a" * 300),
        ("\\\\?\\D:\\" + "a" * 300, "\\\\?\\D:\\" + "a" * 300),
        ("D:\\" + "a" * (LONGEST - 3), "D:\\" + "a" * (LONGEST - 3)),
    ],
)
def test_long_paths_of_windows_get_the_prefix_that_lifts_their_limit(path: str, opened: str) -> None:
    assert extended(path) == opened
    assert PureWindowsPath(extended(path)).name == PureWindowsPath(path).name


def test_paths_of_other_systems_stay(tmp_path: Path) -> None:
    assert reachable(tmp_path / ("a" * 200) / ("b" * 200)) == tmp_path / ("a" * 200) / ("b" * 200)
