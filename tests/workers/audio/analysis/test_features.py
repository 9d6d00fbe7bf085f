"""What an analysis reads, and what it holds on its way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

RATE, MINUTES = 44100, 6
READ = """
import sys
from pathlib import Path
from workers.audio.analysis.features import read_features
from workers.audio.track import Track

def resident():
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024

track = Track(Path(sys.argv[1]), "pcm_f32le", 44100, 2, int(sys.argv[2]))
before = resident()
read_features(track, lambda done, of: None)
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux' /proc")
def test_the_heap_does_not_grow_with_a_track(tmp_path: Path) -> None:
    path, frames = tmp_path / "noise.f32", RATE * 60
    minute = (0.2 * np.random.default_rng(0).standard_normal((frames, 2))).astype(np.float32).tobytes()
    with path.open("wb") as file:
        for _ in range(MINUTES):
            file.write(minute)
    command = [sys.executable, "-c", READ, str(path), str(frames * MINUTES)]

    grown = float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)
    assert grown < 60  # MB; it was 130, of which 1 MB is what is kept
