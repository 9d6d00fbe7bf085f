"""A small SoundFont, made here: one instrument with a looped cycle of a sawtooth at middle C, under any programs.

After the SoundFont 2.04 specification, chapters 4 to 8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

RATE = 44100
ROOT = 60  # the key at which the sample is as it is
DRUM_BANK = 128
KEY_INSTRUMENT, SAMPLE_MODES, SAMPLE_ID = 41, 54, 53  # generators
LOOPED = 1
SPACE = 46  # zeroes that must follow a sample


def write_soundfont(path: Path, programs: Iterable[int], *, drums: bool = False) -> Path:
    """Write a font that has these programs, and a drum kit if wanted, and nothing else."""
    presets = [(program, 0) for program in sorted(programs)] + [(0, DRUM_BANK)] * drums
    cycle = round(RATE / 261.6256)
    saw = np.tile(np.linspace(-12000, 12000, cycle), 400)
    sample = np.concatenate([saw, np.zeros(SPACE)]).astype("<i2").tobytes()
    phdr = b"".join(_preset(f"program {program}", program, bank, at) for at, (program, bank) in enumerate(presets))
    phdr += _preset("EOP", 0, 0, len(presets))
    count = len(presets)
    parts = {
        b"phdr": phdr,
        b"pbag": b"".join(struct.pack("<HH", at, 0) for at in range(count + 1)),
        b"pmod": bytes(10),
        b"pgen": struct.pack("<HH", KEY_INSTRUMENT, 0) * count + bytes(4),
        b"inst": struct.pack("<20sH", b"saw", 0) + struct.pack("<20sH", b"EOI", 1),
        b"ibag": struct.pack("<HH", 0, 0) + struct.pack("<HH", 2, 0),
        b"imod": bytes(10),
        b"igen": struct.pack("<HHHH", SAMPLE_MODES, LOOPED, SAMPLE_ID, 0) + bytes(4),
        b"shdr": _sample("saw", len(saw), cycle) + struct.pack("<20s5IBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    info = _chunk(b"ifil", struct.pack("<HH", 2, 4)) + _chunk(b"isng", b"EMU8000\0") + _chunk(b"INAM", b"tests\0")
    body = _list(b"INFO", info) + _list(b"sdta", _chunk(b"smpl", sample))
    body += _list(b"pdta", b"".join(_chunk(name, data) for name, data in parts.items()))
    path.write_bytes(_chunk(b"RIFF", b"sfbk" + body))
    return path


def _preset(name: str, program: int, bank: int, bag: int) -> bytes:
    return struct.pack("<20sHHHIII", name.encode(), program, bank, bag, 0, 0, 0)


def _sample(name: str, length: int, cycle: int) -> bytes:
    loop = length // 2 // cycle * cycle
    return struct.pack("<20s5IBbHH", name.encode(), 0, length, loop, loop + cycle, RATE, ROOT, 0, 0, 1)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(name: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", name + data)
