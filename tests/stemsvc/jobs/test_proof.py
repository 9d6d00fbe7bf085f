"""Lengths: what a file's bytes prove, what is a guess, and what is a placeholder and so neither."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from stemsvc.jobs.part import Part
from stemsvc.jobs.probe import Length, longest, track_length
from tests.containers import copy_packets, encode, pcm16, wav
from tests.sounds import tone, write_sound

SOUND = tone(3.0, 44100)
PCM = pcm16(SOUND)


def told(data: bytes) -> Length | None:
    return track_length(io.BytesIO(data))


@pytest.mark.parametrize("name", ["song.wav", "song-24.wav", "song-float.wav", "song.flac", "song.mp3", "song.aiff"])
def test_a_whole_file_proves_its_length(name: str, tmp_path: Path) -> None:
    length = told(write_sound(tmp_path / name, SOUND, 44100).read_bytes())

    assert length is not None
    assert length.proved
    assert length.seconds == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0x7FFFFFDB, 0xFFFFFFFF, 40 * len(PCM)])
def test_of_a_wav_the_bytes_that_are_there_count(size: int) -> None:
    assert told(wav(PCM, size)) == Length(3.0, proved=True)


def test_a_wav_of_blocks_is_a_guess() -> None:
    length = told(wav(bytes(65 * 75), rate=8000, channels=1, code=0x31, block=65))

    assert length is None or not length.proved


@pytest.mark.parametrize("name", ["song.flac", "song.mp3"])
def test_a_file_that_lost_its_end_proves_nothing(name: str, tmp_path: Path) -> None:
    data = write_sound(tmp_path / name, SOUND, 44100).read_bytes()
    length = told(data[: len(data) // 2])

    assert length is None or not length.proved


def test_a_cut_flac_with_the_length_of_the_whole_proves_nothing(tmp_path: Path) -> None:
    whole = write_sound(tmp_path / "song.flac", SOUND, 44100)
    for name, kept in (("head.flac", (0, 1)), ("tail.flac", (2, 9))):
        cut = copy_packets(whole, tmp_path / name, lambda n, at, kept=kept: at if kept[0] <= at < kept[1] else None)  # type: ignore[misc]
        length = told(cut.read_bytes())
        assert length is None or not length.proved, name


def test_a_joined_file_proves_its_first_part(tmp_path: Path) -> None:
    for name in ("song.flac", "song.mp3"):
        length = told(2 * write_sound(tmp_path / name, SOUND, 44100).read_bytes())
        assert length is None or length.seconds < 3.1, name


def test_a_clock_that_starts_late_is_no_length(tmp_path: Path) -> None:
    opus = write_sound(tmp_path / "song.opus", tone(3.0, 48000), 48000)

    assert told(copy_packets(opus, tmp_path / "late.opus", lambda n, at: at + 100_000).read_bytes()) is None


def test_a_guess_is_no_proof(tmp_path: Path) -> None:
    length = told(encode(tmp_path / "song.m4a", SOUND, 44100, "aac").read_bytes())

    assert length is not None
    assert length.seconds == pytest.approx(3.0, abs=0.1)
    assert (length.proved, length.proved_seconds) == (False, 0.0)


def test_the_longest_of_several_is_proved_where_all_are() -> None:
    proved, guessed = Length(3.0, proved=True), Length(5.0, proved=False)

    assert longest([proved, guessed]) == Length(5.0, proved=False)
    assert longest([proved, proved]) == proved
    assert longest([proved, None]) is None


@pytest.mark.parametrize(
    ("part", "track", "seconds"),
    [
        (Part(), 180.0, 180.0),
        (Part(), None, None),
        (Part(start=30.0), 180.0, 150.0),
        (Part(start=30.0, end=45.0), 180.0, 15.0),
        (Part(start=30.0, end=45.0), None, 15.0),
        (Part(start=170.0, end=200.0), 180.0, 10.0),
        (Part(start=200.0), 180.0, 0.0),
    ],
)
def test_a_part_plays_as_long_as_it_lies_in_the_track(part: Part, track: float | None, seconds: float | None) -> None:
    assert part.seconds(track) == seconds
