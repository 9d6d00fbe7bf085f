"""The operator's SoundFont, `STEMSVC_SOUNDFONT`, and the program that plays it."""

from __future__ import annotations

import hashlib
import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

PROGRAM = "fluidsynth"
DRUM_BANK = 128
# SoundFont 2.04, chapters 4 and 7: a RIFF file of lists, whose `pdta` begins with the presets' headers.
PRESET = struct.Struct("<20sHHHIII")  # name, program, bank, and what plays it
MOST_PRESETS = 1 << 16


class NotPlayable(ValueError):
    """Raised for a file that is no SoundFont."""


@dataclass
class SoundFont:
    """A file of sampled instruments."""

    path: Path
    _known: dict[tuple[int, int], tuple[str, frozenset[tuple[int, int]]]] = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path | None) -> SoundFont | None:
        """That at a path of the settings, if there is one."""
        return None if path is None else cls(path)

    def lacking(self) -> str | None:
        """Why it can't be played here, if it can't."""
        try:
            self._read()
        except OSError as error:
            return f"{self.path} can't be read: {error.strerror}"
        except NotPlayable:
            return f"{self.path} is no SoundFont, or not a whole one"
        return None if shutil.which(PROGRAM) else f"the program {PROGRAM} is not installed"

    def digests(self) -> list[str]:
        """Its sha256, which results depend on; nothing where it can't be played, because then they don't."""
        return [] if self.lacking() is not None else [self._read()[0]]

    def has(self, program: int, bank: int = 0) -> bool:
        """Whether it has a preset. Raises `OSError`, `NotPlayable`."""
        return (bank, program) in self._read()[1]

    def _read(self) -> tuple[str, frozenset[tuple[int, int]]]:
        """Its sha256, and the bank and the program of each preset: read anew where the file is another one."""
        stamp = self.path.stat()
        known = (stamp.st_mtime_ns, stamp.st_size)
        if known not in self._known:
            with self.path.open("rb") as file:
                presets = _presets(file, stamp.st_size)
                file.seek(0)
                self._known[known] = hashlib.file_digest(file, "sha256").hexdigest(), presets
        return self._known[known]


def _presets(file: BinaryIO, size: int) -> frozenset[tuple[int, int]]:
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise NotPlayable
    at = 12
    while at + 12 <= size:
        file.seek(at)
        name, length, kind = struct.unpack("<4sI4s", file.read(12))
        if at + 8 + length > size:
            raise NotPlayable
        if (name, kind) == (b"LIST", b"pdta"):
            return _headers(file)
        at += 8 + length + length % 2
    raise NotPlayable


def _headers(file: BinaryIO) -> frozenset[tuple[int, int]]:
    """Of the presets, which come first in their list; the last header ends them and is none."""
    name, length = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
    records = file.read(min(length, MOST_PRESETS * PRESET.size))
    if name != b"phdr" or len(records) % PRESET.size:
        raise NotPlayable
    found = [PRESET.unpack(records[at : at + PRESET.size]) for at in range(0, len(records), PRESET.size)]
    return frozenset((bank, program) for _, program, bank, *_ in found[:-1])
