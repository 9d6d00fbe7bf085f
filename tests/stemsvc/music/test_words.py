"""Tempi, lengths, genres and moods in words."""

from __future__ import annotations

import pytest

from stemsvc.music.durations import find_duration
from stemsvc.music.genres import BAR, find_genre, genres
from stemsvc.music.moods import find_mood
from stemsvc.music.numbers import in_digits
from stemsvc.music.tempo import Tempo, find_tempo


@pytest.mark.parametrize(
    ("text", "tempo"),
    [
        ("at 140 bpm", Tempo(140)), ("140bpm trap", Tempo(140)), ("a beat at 92", Tempo(92)), ("tempo 120", Tempo(120)),
        ("tempo: 99.5", Tempo(99.5)), ("bei 128 Schlägen", Tempo(128)), ("mit 174 bpm", Tempo(174)),
        ("hundred and forty bpm", Tempo(140)), ("one twenty bpm", Tempo(120)), ("hundertvierzig bpm", Tempo(140)),
        ("make it faster", Tempo(word="faster")), ("etwas langsamer", Tempo(word="slower")),
        ("a slow jam", Tempo(word="slow")), ("schneller Techno", Tempo(word="faster")), ("allegro", Tempo(word="fast")),
        ("very fast", Tempo(word="very fast")), ("at 30 seconds", None), ("a beat", None), ("fast so wie vorher", None),
        ("at 140 and in C minor", Tempo(140)),
    ],
)  # fmt: skip
def test_tempi(text: str, tempo: Tempo | None) -> None:
    assert find_tempo(text) == tempo


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30 seconds", 30), ("30s", 30), ("45-second loop", 45), ("2 minutes", 120), ("1:30", 90), ("90 Sekunden", 90),
        ("a minute and a half", 90), ("half a minute", 30), ("eine halbe Minute", 30), ("zwei Minuten", 120),
        ("anderthalb Minuten", 90), ("1 minute 20 seconds", 80), ("2 Minuten und 30 Sekunden", 150), ("2.5 min", 150),
        ("a minute long", 60), ("twenty seconds", 20), ("140 bpm", None), ("the second one", None), ("8 bars", None),
    ],
)  # fmt: skip
def test_lengths(text: str, seconds: float | None) -> None:
    assert find_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "genre"),
    [
        ("a dark trap beat", "trap"), ("drum & bass", "drum-and-bass"), ("dnb", "drum-and-bass"), ("lofi", "lo-fi"),
        ("R&B ballad", "r-and-b"), ("synth wave", "synthwave"), ("heavy metal", "metal"), ("Filmmusik", "cinematic"),
        ("synth pop", "pop"), ("jazzig", "jazz"), ("a song", ""), ("trapped", ""), ("drums and bass only", ""),
    ],
)  # fmt: skip
def test_genres(text: str, genre: str) -> None:
    assert find_genre(text) == genre


@pytest.mark.parametrize(
    ("text", "mood"),
    [("dark", "dark"), ("ein düsterer Beat", "dark"), ("happy", "happy"), ("fröhliche Musik", "happy"),
     ("chilled", "chill"), ("a beat", ""), ("sad and slow", "sad"), ("episch", "epic")],
)  # fmt: skip
def test_moods(text: str, mood: str) -> None:
    assert find_mood(text) == mood


@pytest.mark.parametrize(
    ("text", "digits"),
    [("one", "one"), ("the second one", "the second one"), ("twenty five", "25"), ("fünfundzwanzig", "25"),
     ("hundertzwanzig", "120"), ("a hundred and ten", "110"), ("ein Lied", "ein Lied")],
)  # fmt: skip
def test_numbers(text: str, digits: str) -> None:
    assert in_digits(text) == digits


def test_every_genre_is_found_by_its_title_and_fits_its_bars() -> None:
    assert len(genres()) >= 14
    for name, genre in genres().items():
        assert find_genre(genre.title) == name
        for grid in (*genre.grooves, *genre.lifts, *genre.fills):
            assert all(len(marks) == BAR and set(marks) <= set("xo-") for marks in grid.values()), name
        texts = (*genre.bass.figures, *genre.chords.rhythms, *genre.layer.figures)
        assert {len(text) for text in texts} == {BAR}, name
