"""What each stem is written down as: the way to hear it, and its sound in General MIDI."""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.kinds.transcribe.stems import DRUMS

DRUM_CHANNEL = 9  # General MIDI's tenth


@dataclass(frozen=True)
class Instrument:
    """`program` is General MIDI's, from 0. `single` says that one note sounds at a time, from `lowest` to `highest`."""

    program: int
    single: bool = False
    lowest: int = 21
    highest: int = 108
    gm_name: str = ""


INSTRUMENTS = {
    "bass": Instrument(33, single=True, lowest=23, highest=72, gm_name="Electric Bass (finger)"),
    "vocals": Instrument(53, single=True, lowest=36, highest=96, gm_name="Voice Oohs"),
    "piano": Instrument(0, gm_name="Acoustic Grand Piano"),
    "guitar": Instrument(25, lowest=36, highest=96, gm_name="Acoustic Guitar (steel)"),
    DRUMS: Instrument(0, gm_name="Standard Kit"),
    "other": Instrument(4, gm_name="Electric Piano 1"),
    "song": Instrument(0, gm_name="Acoustic Grand Piano"),
}
