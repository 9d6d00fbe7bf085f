"""The work of the kind `transcribe`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stemsvc.jobs.filenames import without_ending
from stemsvc.kinds.transcribe.kind import GRIDS, TranscribeParams
from stemsvc.kinds.transcribe.stems import DRUMS, distinct, stem_of
from workers.audio.decode_process import decode_apart
from workers.audio.find_tempo import find_tempo
from workers.audio.mono import SILENT, Sound, listen
from workers.audio.tempo_map import TempoMap, steady
from workers.audio.track import Track
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile
from workers.kinds.transcribe.candidates import pitched, struck
from workers.kinds.transcribe.drums import pick_drums
from workers.kinds.transcribe.instruments import DRUM_CHANNEL, INSTRUMENTS
from workers.kinds.transcribe.judge import judge
from workers.kinds.transcribe.key import find_key
from workers.kinds.transcribe.midi import Part, write_midi
from workers.kinds.transcribe.notes import NOTE, Notes
from workers.kinds.transcribe.notes_json import write_json
from workers.kinds.transcribe.piano_roll import write_piano_roll
from workers.kinds.transcribe.pick import pick, threshold
from workers.kinds.transcribe.quantise import quantise

MIDI, JSON, PNG = "audio/midi", "application/json", "image/png"
LEAST = {"bass": 0.4, "vocals": 0.4, "other": 0.4}  # the least likelihood of a note, chosen on songs of their own


@dataclass(frozen=True)
class Heard:
    """An input: its stem's name, what kind of stem it is, its track's facts, and its sound."""

    name: str
    stem: str
    track: Track
    sound: Sound


def transcribe(params: TranscribeParams, inputs: Sequence[LocalInput], attempt: Attempt) -> Made:
    """Write down the notes of each input. Raises what the decoder raises, and `TransientError` `scratch_full`."""
    heard = _hear(params, inputs, attempt)
    seconds = max(each.track.seconds for each in heard)
    with attempt.computing(seconds):
        tempo, beats = _tempo(params, heard, attempt)
        grid = GRIDS[params.quantise]
        parts: list[Part] = []
        for number, each in enumerate(heard):
            notes = write_down(each.sound, each.stem, params.sensitivity, _shows(attempt, number, len(heard)))
            parts.append(_part(each, number, quantise(notes, tempo, grid, params.strength)))
    attempt.report("writing")
    key = params.key or find_key(part.notes for part in parts if part.channel != DRUM_CHANNEL)
    facts = _facts(params, tempo, beats, key, parts, seconds)
    files = _write(attempt.folder, without_ending(inputs[0].name), parts, tempo, key, facts, seconds)
    return Made(files, heard[0].track.facts, facts, named=True)


def write_down(sound: Sound, stem: str, sensitivity: float, on_frame: Callable[[int, int], None]) -> Notes:
    """The notes of one stem, one of `stems.STEMS`. `on_frame` gets the frames that are done and all of them."""
    if sound.peak < SILENT:
        return np.zeros(0, NOTE)
    if stem == DRUMS:
        return pick_drums(struck(sound, on_frame), judge(DRUMS), sensitivity)
    kind = stem if stem in LEAST else "other"
    least = threshold(LEAST[kind], sensitivity)
    return pick(pitched(sound, on_frame), kind, INSTRUMENTS[stem], judge("notes"), least)


def _hear(params: TranscribeParams, inputs: Sequence[LocalInput], attempt: Attempt) -> list[Heard]:
    """Decode each input, keep its mono sound, and delete what it came from: the disk holds one decoded track."""
    alone = len(inputs) == 1
    stems = list(params.stems) or [stem_of(each.output or each.name, alone) for each in inputs]
    heard: list[Heard] = []
    for number, (each, name) in enumerate(zip(inputs, distinct(stems), strict=True)):
        tick = partial(attempt.report, "decoding", number, len(inputs))
        track = decode_apart(each.path, attempt.folder / "decoded.f32", attempt.limits, tick)
        for warning in track.warnings:
            attempt.warn(warning.code, warning.detail if alone else f"{each.name}: {warning.detail}")
        sound = listen(track, attempt.folder / f"sound-{number}.f32", tick)
        track.path.unlink(missing_ok=True)
        heard.append(Heard(name, stems[number], track, sound))
    return heard


def _tempo(params: TranscribeParams, heard: Sequence[Heard], attempt: Attempt) -> tuple[TempoMap, Any]:
    if params.bpm is not None:
        return steady(params.bpm), None
    return find_tempo([each.sound for each in heard], partial(attempt.report, "counting"))


def _shows(attempt: Attempt, number: int, count: int) -> Callable[[int, int], None]:
    return lambda done, of: attempt.report("transcribing", number * of + done, count * of)


def _part(heard: Heard, number: int, notes: Notes) -> Part:
    """A stem's part: drums on channel 10, the others on channels of their own, as many as there are."""
    if heard.stem == DRUMS:
        return Part(heard.name, notes, DRUM_CHANNEL, INSTRUMENTS[DRUMS].program)
    channel = number % 15
    return Part(heard.name, notes, channel + (channel >= DRUM_CHANNEL), INSTRUMENTS[heard.stem].program)


def _facts(
    params: TranscribeParams, tempo: TempoMap, beats: Any, key: str, parts: Sequence[Part], seconds: float
) -> dict[str, Any]:
    return {
        "bpm": round(tempo.bpm, 3),
        "tempo": "asked" if params.bpm is not None else ("found" if beats.beats else "unknown"),
        "pickup_beats": tempo.pickup,
        "time_signature": f"{tempo.beats_per_bar}/4",
        "key": key or None,
        "quantise": params.quantise,
        "duration_seconds": seconds,
        "notes": {part.name: len(part.notes) for part in parts},
    }


def _write(
    folder: Path, title: str, parts: Sequence[Part], tempo: TempoMap, key: str, facts: dict[str, Any], seconds: float
) -> dict[str, MadeFile]:
    files: dict[str, MadeFile] = {}
    for part in parts:
        path = folder / f"{part.name}.mid"
        write_midi(path, f"{title} - {part.name}", [part], tempo, key)
        files[part.name] = MadeFile(path, MIDI, {"stem": part.name, "notes": len(part.notes)})
    path = folder / "all.mid"
    write_midi(path, title, parts, tempo, key)
    files["all"] = MadeFile(path, MIDI, {"stem": "all", "notes": sum(len(part.notes) for part in parts)})
    path = folder / "notes.json"
    changes = [{"seconds": each.seconds, "beat": each.beat, "bpm": each.bpm} for each in tempo.changes]
    write_json(path, parts, {**facts, "tempo_map": changes})
    files["notes"] = MadeFile(path, JSON, {"stem": "notes"})
    path = folder / "piano-roll.png"
    write_piano_roll(path, parts, tempo, seconds)
    files["piano_roll"] = MadeFile(path, PNG, {"stem": "piano roll"})
    return files
