"""Key, tuning, chords and sections of music that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from tests.workers.audio.analysis.music import LOOP, MAJOR, RATE, beat_times, groove
from workers.audio.analysis import chroma, onsets
from workers.audio.analysis.analysis import key_of
from workers.audio.analysis.beats import track_beats
from workers.audio.analysis.chords import NAMES, find_chords
from workers.audio.analysis.key import Key, find_key
from workers.audio.analysis.progression import progression
from workers.audio.analysis.sections import find_sections
from workers.audio.analysis.tuning import TuningMeter


def tones_of(mono: Any, cents: float = 0.0) -> Any:
    stream = chroma.ChromaStream(cents)
    low = soxr.resample(mono, RATE, chroma.RATE)
    return np.concatenate([*stream.add(low), *stream.finish()])


@pytest.mark.parametrize(
    ("tonic", "minor", "name", "camelot", "open_key"),
    [
        (0, False, "C major", "8B", "1d"),
        (9, True, "A minor", "8A", "1m"),
        (6, True, "F# minor", "11A", "4m"),
        (3, False, "Eb major", "5B", "10d"),
        (8, True, "G# minor", "1A", "6m"),
        (5, False, "F major", "7B", "12d"),
    ],
)
def test_a_key_has_the_names_that_musicians_and_djs_use(
    tonic: int, minor: bool, name: str, camelot: str, open_key: str
) -> None:
    key = Key(tonic, minor, 1.0)

    assert (key.name, key.camelot, key.open_key) == (name, camelot, open_key)


def test_chords_are_named_from_bar_to_bar() -> None:
    beats = beat_times(110.0, 33)
    chords = find_chords(beats[:-1], beats[:-1:4], tones_of(groove(beats)), float(beats[-1]))

    assert [each.label for each in chords] == ["Am", "F", "Dm", "E"] * 2
    assert [each.start for each in chords] == pytest.approx(beats[:-1:4], abs=1e-3)
    assert chords[-1].end == pytest.approx(beats[-1], abs=1e-3)


@pytest.mark.parametrize("shift", [0, 3, 9])
def test_the_key_moves_with_the_music(shift: int) -> None:
    major = tuple(((root + shift) % 12, triad) for root, triad in ((0, MAJOR), (5, MAJOR), (7, MAJOR), (0, MAJOR)))
    beats = beat_times(110.0, 33)
    tones = tones_of(groove(beats, loop=major))
    triads = np.repeat([(shift + root) % 12 for root in (0, 5, 7, 0)], 4)
    key = find_key(tones.sum(axis=0), progression(np.tile(triads, 2), 16, 4))

    assert key is not None
    assert (key.tonic, key.minor) == (shift % 12, False)
    assert 0 < key.confidence <= 1


def chord_tones(triads: Sequence[int]) -> NDArray[np.float32]:
    """The sum of the chroma of triads: their notes, and roots in the bass."""
    found = np.zeros(24, np.float32)
    for triad in triads:
        root, third = triad % 12, 3 if triad >= 12 else 4
        for step, level in ((0, 1.0), (third, 0.8), (7, 0.9)):
            found[(root + step) % 12] += level
        found[[12 + root, 12 + (root + 7) % 12]] += (1.0, 0.3)
    return found


@pytest.mark.parametrize(
    ("loop", "name"),
    [
        ("C G Am F", "C major"),
        ("C Am F G", "C major"),
        ("Dm G C C", "C major"),
        ("C F C G", "C major"),
        ("F C Dm Bb", "F major"),
        ("C A D G", "C major"),
        ("G D Em C", "G major"),
        ("C G Am Em F C F G", "C major"),
        ("C C C C F F C C G F C C", "C major"),
        ("Am G F E", "A minor"),
        ("Am Dm Em Am", "A minor"),
        ("Am G Dm Em", "A minor"),
        ("Am Em F Dm", "A minor"),
        ("Am D Am D", "A minor"),
        ("Dm Bb C Dm", "D minor"),
        ("Am F G Am", "A minor"),
        ("Bm F# A E G D Em F#", "B minor"),
    ],
)
def test_chords_that_many_songs_share_have_the_key_that_players_name(loop: str, name: str) -> None:
    triads = [NAMES.index(each.rstrip("m")) + 12 * each.endswith("m") for each in loop.split()]
    beats = np.tile(np.repeat(triads, 4), 4)
    key = find_key(chord_tones(triads), progression(beats, 4 * len(triads), 4))

    assert key is not None
    assert key.name == name


def test_a_rest_says_nothing_of_the_key() -> None:
    music, rest = groove(beat_times(110.0, 49)), np.zeros(60 * RATE, np.float32)

    alone, resting = (heard_key(np.concatenate(parts)) for parts in ([music], [music, rest, music, rest]))
    assert alone == resting == (9, True)


def heard_key(mono: NDArray[np.float32]) -> tuple[int, bool] | None:
    """The tonic of samples, and whether it is minor, as an analysis finds them."""
    pulse, tones = track_beats(mono, RATE), tones_of(mono)
    key = key_of(np.array(pulse.beats), np.array(pulse.downbeats), tones, 4, lambda: None)
    return (key.tonic, key.minor) if key else None


@pytest.mark.parametrize("cents", [-30.0, 0.0, 35.0])
def test_the_tuning_is_found_within_four_cents(cents: float) -> None:
    sound = groove(beat_times(110.0, 17), transpose=cents / 100)
    meter = TuningMeter()
    meter.add(np.asarray(soxr.resample(sound, RATE, chroma.RATE), np.float32))

    assert meter.cents == pytest.approx(cents, abs=4)


def test_noise_has_no_tuning_and_silence_no_key() -> None:
    meter = TuningMeter()
    meter.add(np.random.default_rng(0).normal(0, 0.1, 5 * chroma.RATE).astype(np.float32))

    assert meter.hertz is None
    assert find_key(np.zeros(24, np.float32), progression(np.zeros(8, np.int64), 4, 4)) is None


def test_chroma_is_the_same_however_the_sound_is_cut() -> None:
    mono = np.asarray(soxr.resample(groove(beat_times(110.0, 9)), RATE, chroma.RATE), np.float32)
    whole, pieces = chroma.ChromaStream(), chroma.ChromaStream()
    at_once = np.concatenate([*whole.add(mono), *whole.finish()])
    parts = [part for start in range(0, len(mono), 3001) for part in pieces.add(mono[start : start + 3001])]

    assert np.concatenate([*parts, *pieces.finish()]) == pytest.approx(at_once, abs=1e-4)


def test_a_middle_part_gets_a_letter_of_its_own() -> None:
    other = tuple(((root + 6) % 12, triad) for root, triad in LOOP)
    beats = beat_times(120.0, 97)
    loop = (*LOOP * 2, *other * 2, *LOOP * 2)
    mono = groove(beats, loop=loop)
    stream = onsets.OnsetStream()
    flux = np.concatenate([*stream.add(mono), *stream.finish()])
    sections = find_sections(beats[:-1:4], flux, tones_of(mono), float(beats[-1]))

    assert [each.label for each in sections] == ["A", "B", "A"]
    assert [each.start for each in sections] == pytest.approx([0.0, beats[32], beats[64]], abs=1e-3)
