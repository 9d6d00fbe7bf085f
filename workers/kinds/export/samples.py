"""Packs of samples: each stem cut at bars, to the frame."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workers.kinds.export.archive import Archive
from workers.kinds.export.media import blocks, write_media
from workers.kinds.export.session import Lane, Session, file_name

SILENT = 1e-4  # -80 dB of full scale: nobody wants such a sample
MOST_SAMPLES = 4000  # of a pack: a track of hours that is cut at each bar makes no pack that a program opens


def cuts(session: Session, lane: Lane, bars: int) -> list[tuple[int, int]]:
    """The parts of a lane in frames: what is before the first whole bar, then `bars` bars each."""
    media = lane.media
    edges = [round(at * media.rate) for at in session.tempo.bars(media.seconds)[::bars]]
    edges = sorted({0, *(edge for edge in edges if 0 < edge < media.frames), media.frames})
    return list(itertools.pairwise(edges))


@dataclass(frozen=True)
class Pack:
    """What to cut: the stems of a session, at every so many bars. `bits` are those of each lane, by its file.

    `key` is the song's, short; the drums have none, and the others none where it is empty.
    """

    session: Session
    key: str
    bars: int
    bits: Mapping[str, str]
    folder: Path

    def called(self, lane: Lane, number: int) -> str:
        """The name of a lane's sample in the pack: `bass/bass 002 120bpm Am.wav`."""
        name, tempo = file_name(lane.file.removesuffix(".wav")), f"{self.session.tempo.bpm:.4g}bpm"
        key = f" {self.key}" if self.key and "drum" not in lane.name.lower() else ""
        return f"{name}/{name} {number:03d} {tempo}{key}.wav"


def write_pack(pack: Pack, archive: Archive, on_tick: Callable[[], None]) -> int:
    """Write the samples, and `pack.json`, which tells where each was. Returns the number of samples.

    Silent parts are left out.
    """
    session, path = pack.session, pack.folder / "sample.wav"
    told: list[dict[str, object]] = []
    for lane in session.lanes:
        for number, (start, stop) in enumerate(cuts(session, lane, pack.bars), 1):
            if len(told) >= MOST_SAMPLES or _silent(lane, start, stop, on_tick):
                continue
            write_media(lane.track, path, pack.bits[lane.file], on_tick, start, stop)
            member = pack.called(lane, number)
            archive.add(f"{session.folder}/{member}", path)
            path.unlink()
            told.append({"file": member, "track": lane.name, "start_frame": start, "frames": stop - start})
    facts = {
        "bpm": session.tempo.bpm,
        "beats_per_bar": session.tempo.beats_per_bar,
        "key": pack.key or None,
        "bars": pack.bars,
        "samples": told,
    }
    archive.write(f"{session.folder}/pack.json", json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
    return len(told)


def _silent(lane: Lane, start: int, stop: int, on_tick: Callable[[], None]) -> bool:
    return all(np.abs(block).max(initial=0) < SILENT for block in blocks(lane.track, on_tick, start, stop))
