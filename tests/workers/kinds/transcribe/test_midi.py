"""MIDI files, read back by mido's own reader."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest

from workers.audio.tempo_map import TempoMap, from_beats, steady
from workers.kinds.transcribe.midi import TICKS, Part, midi_key, write_midi
from workers.kinds.transcribe.notes import NOTE, Notes

DRIFTING = from_beats(list(np.cumsum(np.linspace(0.4, 0.7, 200))), [])


def played(path: Path) -> list[tuple[float, float, int, int]]:
    """Notes as a player hears them: start, end, pitch, velocity."""
    now, sounding, found = 0.0, {}, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "note_on" and message.velocity:
            sounding[message.channel, message.note] = (now, message.velocity)
        elif message.type in ("note_on", "note_off"):
            start, velocity = sounding.pop((message.channel, message.note))
            found.append((start, now, message.note, velocity))
    return sorted(found)


def some_notes(count: int = 200) -> Notes:
    rng = np.random.default_rng(5)
    notes = np.zeros(count, NOTE)
    notes["start"] = np.sort(rng.uniform(0, 90, count))
    notes["pitch"] = 30 + np.arange(count) % 60
    notes["end"] = notes["start"] + rng.uniform(0.05, 0.4, count)
    notes["velocity"] = rng.integers(1, 128, count)
    return notes


@pytest.mark.parametrize("tempo", [steady(97.3), DRIFTING], ids=["steady", "drifting"])
def test_a_player_hears_each_note_when_it_was_played_to_half_a_tick(tmp_path: Path, tempo: TempoMap) -> None:
    notes = some_notes()
    write_midi(tmp_path / "song.mid", "song", [Part("piano", notes, 0, 4)], tempo, "")
    heard = played(tmp_path / "song.mid")
    tick = max(change.beat_seconds for change in tempo.changes) / TICKS
    for note, (start, end, pitch, velocity) in zip(notes, heard, strict=True):
        assert start == pytest.approx(note["start"], abs=tick / 2 + 1e-6)
        assert end == pytest.approx(note["end"], abs=tick / 2 + 1e-6)
        assert (pitch, velocity) == (note["pitch"], note["velocity"])


def test_a_file_tells_tempo_metre_key_names_and_programs(tmp_path: Path) -> None:
    tempo = from_beats([1.0 + 0.5 * k for k in range(64)], [1.5], 3)
    parts = [Part("bass", some_notes(3), 1, 33), Part("drums", some_notes(3), 9, 0)]
    write_midi(tmp_path / "song.mid", "Söng", parts, tempo, "F# minor")
    file = mido.MidiFile(tmp_path / "song.mid")
    first, *others = file.tracks
    told = {message.type: message for message in first}
    assert (file.type, len(file.tracks), first.name) == (1, 3, "Söng")
    assert told["key_signature"].key == "F#m"
    assert told["set_tempo"].tempo == 500_000
    assert told["time_signature"].numerator == 3
    assert [track.name for track in others] == ["bass", "drums"]
    assert [[m.program for m in track if m.type == "program_change"] for track in others] == [[33], []]


def test_two_notes_of_a_pitch_that_follow_each_other_stay_two(tmp_path: Path) -> None:
    notes = np.array([(0.0, 0.5, 60, 80), (0.5, 1.0, 60, 90)], NOTE)
    write_midi(tmp_path / "song.mid", "song", [Part("piano", notes, 0, 0)], steady(), "")
    assert [(start, end) for start, end, *_ in played(tmp_path / "song.mid")] == [(0.0, 0.5), (0.5, 1.0)]


def test_names_that_midi_cannot_write_lose_a_letter_and_not_the_file(tmp_path: Path) -> None:
    write_midi(tmp_path / "song.mid", "歌 🎵", [Part("ギター", some_notes(1), 0, 0)], steady(), "")
    assert mido.MidiFile(tmp_path / "song.mid").tracks[1].name == "???"


@pytest.mark.parametrize("tonic", ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B", "Db", "Bb"])
@pytest.mark.parametrize("mode", [" major", " minor", "m", ""])
def test_every_key_is_one_that_midi_has_or_none(tonic: str, mode: str) -> None:
    if name := midi_key(tonic + mode):
        mido.MetaMessage("key_signature", key=name).bytes()
