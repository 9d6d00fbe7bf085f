"""What a request for music means: words, fields, what the genre fills in, what a variation keeps."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.errors import UsageError
from stemsvc.kinds.generate.brief import settle, shares, whole_bars
from stemsvc.kinds.generate.kind import KIND
from stemsvc.kinds.generate.params import SECTIONS, GenerateParams
from stemsvc.models.catalog import load_catalog
from stemsvc.music.genres import genres


def test_words_say_what_they_say_and_the_genre_fills_in_the_rest() -> None:
    brief = settle(GenerateParams(prompt="a dark trap beat at 140 in C minor, 20 seconds"))

    assert (brief.genre, brief.bpm, brief.key.name, brief.mood, brief.duration) == ("trap", 140, "C minor", "dark", 20)
    assert brief.filled == ("form",)

    open_ = settle(GenerateParams(prompt="lo-fi"))
    tempi = genres()["lo-fi"].bpm
    assert tempi.least <= open_.bpm <= tempi.most
    assert open_.filled == ("bpm", "key", "duration", "form")


def test_a_field_goes_before_words() -> None:
    asked = GenerateParams(prompt="trap at 140 in C minor", genre="jazz", bpm=99, key="Es-Dur", duration=7)
    brief = settle(asked)

    assert (brief.genre, brief.bpm, brief.key.name, brief.duration) == ("jazz", 99, "Eb major", 7)


@pytest.mark.parametrize("genre", genres())
def test_every_genre_is_settled_within_its_range_whatever_the_seed(genre: str) -> None:
    for seed in range(20):
        brief = settle(GenerateParams(genre=genre, seed=seed))
        assert genres()[genre].bpm.least <= brief.bpm <= genres()[genre].bpm.most
        assert sum(each.bars for each in brief.form) == whole_bars(brief.duration, brief.bpm)
    assert settle(GenerateParams(genre=genre, seed=3)) == settle(GenerateParams(genre=genre, seed=3))
    assert len({settle(GenerateParams(genre=genre, seed=seed)).key for seed in range(20)}) > 3


def test_a_variation_keeps_what_nobody_changed() -> None:
    first = settle(GenerateParams(prompt="sad house in F minor", seed=5))
    faster = settle(GenerateParams(prompt="make it faster", change="drums", seed=9), first.facts)

    assert (faster.genre, faster.key, faster.mood, faster.seed) == (first.genre, first.key, first.mood, first.seed)
    assert faster.bpm == round(first.bpm * 1.14)
    assert faster.changes == {"drums": 9}
    again = settle(GenerateParams(change="verse", seed=2), faster.facts)
    assert again.changes == {"drums": 9, "verse": 2}


@pytest.mark.parametrize("bars", [1, 2, 3, 7, 16, 33, 150])
def test_sections_share_all_bars(bars: int) -> None:
    names = tuple(SECTIONS)[: min(bars, len(SECTIONS))]
    found = shares(names, bars)
    assert sum(found) == bars
    assert min(found) >= 1


@pytest.mark.parametrize(
    "asked",
    [
        {"bpm": 59}, {"bpm": 201}, {"bpm": float("nan")}, {"bpm": 0}, {"duration": 4.9}, {"duration": 301},
        {"key": "X"}, {"genre": "polka"}, {"mood": "odd"}, {"form": ["verse", "solo"]}, {"seed": -1}, {"candidates": 0},
        {"candidates": 5}, {"model": "bark"}, {"change": "drums"}, {"prompt": "at 300 bpm"}, {"prompt": "x" * 1001},
        {"form": ["verse"] * 12, "duration": 5}, {"name": "a\nb"}, {"prompt": "10 minutes of jazz"},
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        KIND.check(KIND.read(asked), [], load_catalog())
    assert caught.value.code == "bad_options"


def test_the_kind_says_its_length_its_files_and_its_name() -> None:
    asked = {"prompt": "a trap beat, 12 seconds", "stems": True, "candidates": 2}
    params = KIND.check(KIND.read(asked), [], load_catalog())

    assert KIND.sourceless
    assert KIND.part(params, 0.0) == 24
    assert KIND.part(params, None) == 24
    assert KIND.read(KIND.stored(params)) == params
    assert set(KIND.outputs(params)) == {
        f"{name}{ending}" for name in ("mix", "drums", "bass", "other", "vocals") for ending in ("", "-2")
    }
    assert (params.name, params.model) == ("a trap beat, 12 seconds", "sketch")
    assert KIND.heard(params) == KIND.heard(KIND.read({**KIND.stored(params), "name": "another"}))
