"""Three seconds of stems with names that hurt, and what is made of them: once for all tests of this folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.export.kind import KIND, TARGETS, ExportParams
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from tests.sounds import Sound
from workers.audio.decode import Limits
from workers.kinds.base import LocalInput, Made
from workers.kinds.export.work import export
from workers.kinds.local import LocalAttempt

RATE = 44_100
SECONDS = 3.0
TITLE = 'A "q" <b> & \' ` ../title'
NAMES = ('drums "live" <1>', "bass'`\"", "../../other & more", "vocals")
# The name, the wav's depth, channels and length of each stem.
STEMS = (
    ("drums.wav", "PCM_16", 2, SECONDS),
    ("bass.wav", "PCM_24", 1, SECONDS / 2),
    ("other.wav", "FLOAT", 2, SECONDS),
    ("vocals.flac", "PCM_16", 2, SECONDS),
)
BEATS = [0.25 + 0.5 * k for k in range(6)]
ANALYSIS = {
    "bpm": 120.0,
    "beats": BEATS,
    "downbeats": BEATS[1::4],
    "time_signature": "4/4",
    "sections": [{"start": 0.0, "end": 1.5, "label": "A & <b>"}, {"start": 1.5, "end": 3.0, "label": 'B "2"'}],
}


@dataclass(frozen=True)
class Exported:
    """What came, as float64 [frames, channels] by file, and what was made."""

    sounds: dict[str, Sound]
    made: Made
    folder: Path


def exported(folder: Path, params: ExportParams, files: list[Path], analysis: Path | None = None) -> Made:
    """What the work makes of these files."""
    folder.mkdir(exist_ok=True)
    inputs = [LocalInput(path, path.name) for path in files]
    if analysis:
        inputs.append(LocalInput(analysis, "analysis.json", "analysis"))
    catalog = load_catalog()
    checked = KIND.check(params, [each.role for each in inputs], catalog)
    attempt = LocalAttempt(folder, Encoding(), catalog, Limits(1e6), Settings(), lambda *_: None)
    return export(checked, inputs, attempt)


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """All targets, of stems of several depths, channels and lengths."""
    folder = tmp_path_factory.mktemp("export")
    rng = np.random.default_rng(3)
    sounds, files = {}, []
    for name, depth, channels, seconds in STEMS:
        sound = rng.uniform(-0.2, 0.2, (round(seconds * RATE), channels)).astype(np.float32)
        soundfile.write(folder / name, sound, RATE, subtype=depth)
        sounds[name] = soundfile.read(folder / name, always_2d=True)[0]
        files.append(folder / name)
    (folder / "analysis.json").write_text(json.dumps(ANALYSIS))
    params = ExportParams(TARGETS, TITLE, NAMES, bars=1)
    return Exported(sounds, exported(folder / "work", params, files, folder / "analysis.json"), folder)
