"""What a stem is, by its name."""

from __future__ import annotations

import pytest

from stemsvc.errors import BadOptions
from stemsvc.kinds.transcribe.stems import check_stems, distinct, stem_of


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("song - drums.flac", "drums"),
        ("All About That Bass - vocals.wav", "vocals"),
        ("drums", "drums"),
        ("Bass (DI).wav", "bass"),
        ("Lead Vox.wav", "vocals"),
        ("no_vocals", "other"),
        ("minus_drums.flac", "other"),
        ("piano.mp3", "piano"),
        ("track 7.wav", "other"),
        ("../../etc/bass\u202egnp.wav", "bass"),
    ],
)
def test_a_name_tells_the_stem(name: str, stem: str) -> None:
    assert stem_of(name, alone=False) == stem


def test_a_track_alone_whose_name_tells_nothing_is_a_song() -> None:
    assert stem_of("Yesterday.mp3", alone=True) == "song"


def test_equal_names_get_numbers() -> None:
    assert distinct(["guitar", "bass", "guitar", "guitar"]) == ["guitar", "bass", "guitar-2", "guitar-3"]


@pytest.mark.parametrize("stems", [["kazoo", "bass"], ["bass"]])
def test_a_stem_that_nobody_knows_and_a_wrong_number_are_refused(stems: list[str]) -> None:
    with pytest.raises(BadOptions):
        check_stems(stems, 2)
