"""Standard MIDI files, written note by note: mido encodes the messages, and the file grows on disk, not in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mido import Message, MetaMessage
from mido.midifiles.meta import encode_variable_int

from workers.audio.tempo_map import Change, TempoMap
from workers.audio.track import scratch_errors
from workers.kinds.transcribe.instruments import DRUM_CHANNEL
from workers.kinds.transcribe.notes import Notes

TICKS = 960  # of a quarter note: at 60 BPM a tick is 1.04 ms
MOST_BEAT = 0xFFFFFF  # microseconds of a beat that MIDI can say
# The keys of up to seven accidentals: a key signature has no other.
MAJORS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
MINORS = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")
SAME_MAJORS = {"D#": "Eb", "G#": "Ab", "A#": "Bb"}
SAME_MINORS = {"Db": "C#", "Gb": "F#"}
Events = Iterator[tuple[int, int, Message]]  # tick, order within it, message


@dataclass(frozen=True)
class Part:
    """A stem's notes, its name, and General MIDI's channel and program, both from 0."""

    name: str
    notes: Notes
    channel: int
    program: int


def write_midi(path: Path, title: str, parts: Sequence[Part], tempo: TempoMap, key: str) -> None:
    """Write a file of format 1: a track of tempi, metre and key, then a track for each part.

    Raises `TransientError` `scratch_full`.
    """
    exact = as_midi(tempo)
    with scratch_errors(), path.open("wb") as file:
        file.write(b"MThd" + (6).to_bytes(4) + (1).to_bytes(2) + (1 + len(parts)).to_bytes(2) + TICKS.to_bytes(2))
        _write_track(file, _conductor(title, exact, key))
        for part in parts:
            _write_track(file, _played(part, exact))


def as_midi(tempo: TempoMap) -> TempoMap:
    """The map with beats of whole microseconds, which is what a file can say: times are counted by it, so no error adds
    up."""
    exact: list[Change] = []
    for change in tempo.changes:
        seconds = max(1, min(MOST_BEAT, round(change.beat_seconds * 1e6))) / 1e6
        if exact:
            last = exact[-1]
            exact.append(Change(last.seconds + (change.beat - last.beat) * last.beat_seconds, change.beat, seconds))
        else:
            exact.append(Change(0.0, 0.0, seconds))
    return TempoMap(tuple(exact), tempo.pickup, tempo.beats_per_bar)


def _conductor(title: str, tempo: TempoMap, key: str) -> Events:
    yield 0, 0, MetaMessage("track_name", name=_latin(title))
    if name := midi_key(key):
        yield 0, 0, MetaMessage("key_signature", key=name)
    timed: list[tuple[int, int, Message]] = [
        (beat * TICKS, 0, MetaMessage("time_signature", numerator=beats, denominator=4)) for beat, beats in tempo.metres
    ]
    timed += [
        (round(change.beat * TICKS), 1, MetaMessage("set_tempo", tempo=round(change.beat_seconds * 1e6)))
        for change in tempo.changes
    ]
    yield from sorted(timed, key=lambda event: event[:2])


def midi_key(key: str) -> str:
    """`F#m` for `F# minor` and `F#m`; empty for an empty key, and for one that MIDI cannot write."""
    if not key:
        return ""
    tonic = key.split()[0].removesuffix("m")
    if key.endswith(("minor", "m")):
        tonic = SAME_MINORS.get(tonic, tonic)
        return f"{tonic}m" if tonic in MINORS else ""
    tonic = SAME_MAJORS.get(tonic, tonic)
    return tonic if tonic in MAJORS else ""


def _played(part: Part, tempo: TempoMap) -> Events:
    yield 0, 0, MetaMessage("track_name", name=_latin(part.name))
    if part.channel != DRUM_CHANNEL:
        yield 0, 0, Message("program_change", channel=part.channel, program=part.program)
    ending: list[tuple[int, int]] = []  # tick and pitch of what sounds
    for note in part.notes:
        pitch, start = int(note["pitch"]), round(tempo.beat_at(float(note["start"])) * TICKS)
        while ending and ending[0][0] <= start:
            tick, ended = heapq.heappop(ending)
            yield tick, 0, Message("note_off", channel=part.channel, note=ended)
        yield start, 1, Message("note_on", channel=part.channel, note=pitch, velocity=int(note["velocity"]))
        end = round(tempo.beat_at(float(note["end"])) * TICKS)
        heapq.heappush(ending, (max(start + 1, end), pitch))
    while ending:
        tick, ended = heapq.heappop(ending)
        yield tick, 0, Message("note_off", channel=part.channel, note=ended)


def _write_track(file: BinaryIO, events: Iterable[tuple[int, int, Message]]) -> None:
    """One chunk; its size is written when it is known."""
    file.write(b"MTrk" + bytes(4))
    begin, now = file.tell(), 0
    for tick, _, message in events:
        file.write(bytes(encode_variable_int(tick - now)) + bytes(message.bytes()))
        now = tick
    file.write(b"\0" + bytes(MetaMessage("end_of_track").bytes()))
    end = file.tell()
    file.seek(begin - 4)
    file.write((end - begin).to_bytes(4))
    file.seek(end)


def _latin(name: str) -> str:
    """MIDI's texts are Latin-1, as mido writes them; what is not becomes a question mark."""
    return name.encode("latin-1", "replace").decode("latin-1")[:120]
