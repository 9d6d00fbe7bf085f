"""The notes as JSON, written note by note."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workers.audio.track import scratch_errors
from workers.kinds.transcribe.midi import Part
from workers.kinds.transcribe.notes import pitch_name

FORMAT = 1


def write_json(path: Path, parts: Sequence[Part], facts: dict[str, Any]) -> None:
    """Write `facts` beside `version` and `stems`; times are in seconds. Raises `TransientError` `scratch_full`."""
    with scratch_errors(), path.open("w", encoding="utf-8") as file:
        head = json.dumps({"version": FORMAT, **facts}, ensure_ascii=False)
        file.write(head[:-1] + ', "stems": [')
        for number, part in enumerate(parts):
            about = {"name": part.name, "channel": part.channel + 1, "program": part.program + 1}
            file.write((",\n" if number else "\n") + json.dumps(about, ensure_ascii=False)[:-1] + ', "notes": [')
            for at, note in enumerate(part.notes):
                pitch = int(note["pitch"])
                row = {
                    "start": float(note["start"]),
                    "end": float(note["end"]),
                    "pitch": pitch,
                    "name": pitch_name(pitch),
                    "velocity": int(note["velocity"]),
                }
                file.write((",\n" if at else "\n") + json.dumps(row))
            file.write("]}")
        file.write("]}\n")
