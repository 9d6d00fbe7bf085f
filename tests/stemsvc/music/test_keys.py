"""Keys as people write them."""

from __future__ import annotations

import pytest

from stemsvc.music.keys import TONICS, Key, find_key, read_key

SPELLINGS = {
    "C minor": (0, True), "c min": (0, True), "Cm": (0, True), "F#m": (6, True), "F# minor": (6, True),
    "f sharp minor": (6, True), "F♯ major": (6, False), "Bb": (10, False), "Bbm": (10, True),
    "B flat major": (10, False),
    "D♭ maj": (1, False), "Cis-Moll": (1, True), "fis moll": (6, True), "Es-Dur": (3, False), "As-Dur": (8, False),
    "H-Moll": (11, True), "B-Dur": (10, False), "b-moll": (10, True), "B minor": (11, True), "8A": (9, True),
    "8B": (0, False), "11A": (6, True), "A": (9, False), "g-dur": (7, False),
}  # fmt: skip
SENTENCES = {
    "make a trap beat at 140 in C minor": (0, True),
    "ein Beat in Cis-Moll bitte": (1, True),
    "something in the key of E": (4, None),
    "in F# please": (6, None),
    "in Am, slow": (9, True),
    "a techno track, 8A": (9, True),
    "a house track in A minor": (9, True),
    "Tonart G": (7, None),
}
KEYLESS = ("a dark beat", "I am happy", "in a minute", "in a minor key", "make it 2 bars", "a major hit", "em, what?",
           "vitamin B", "song 12 by them", "drum and bass", "in August")  # fmt: skip


@pytest.mark.parametrize(("text", "key"), SPELLINGS.items())
def test_a_key_in_any_spelling_is_read(text: str, key: tuple[int, bool]) -> None:
    assert read_key(text) == Key(*key)


@pytest.mark.parametrize(("text", "key"), SENTENCES.items())
def test_a_key_is_found_in_a_sentence(text: str, key: tuple[int, bool | None]) -> None:
    found = find_key(text)
    assert found is not None
    assert (found.tonic, found.minor) == key


@pytest.mark.parametrize("text", KEYLESS)
def test_words_that_look_like_keys_are_none(text: str) -> None:
    assert find_key(text) is None


@pytest.mark.parametrize("minor", [True, False])
def test_every_key_reads_its_own_name(minor: bool) -> None:
    for tonic in range(len(TONICS)):
        assert read_key(Key(tonic, minor).name) == Key(tonic, minor)


@pytest.mark.parametrize("text", ["", "X minor", "C minor and more", "minor", "H", "moll"])
def test_other_texts_are_no_key(text: str) -> None:
    assert read_key(text) is None
