"""Files that break off: told where it can be proved, and of no whole file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.containers import encode
from tests.sounds import tone
from workers.audio.decode import Limits, decode

FORMATS: dict[str, dict[str, Any]] = {
    "a.wav": {"codec": "pcm_s16le"},
    "adpcm.wav": {"codec": "adpcm_ms"},
    "a.aiff": {"codec": "pcm_s16be"},
    "a.au": {"codec": "pcm_s16be"},
    "a.caf": {"codec": "pcm_s16le"},
    "a.w64": {"codec": "pcm_s16le"},
    "a.avi": {"codec": "mp2"},
    "a.flv": {"codec": "libmp3lame"},
    "a.flac": {"codec": "flac"},
    "a.oga": {"codec": "flac", "container": "ogg"},
    "a.opus": {"codec": "libopus"},
    "a.mka": {"codec": "flac"},
    "live.mka": {"codec": "flac", "options": {"live": "1"}},  # sizes are left open, as MediaRecorder leaves them
    "fast.m4a": {"codec": "aac", "options": {"movflags": "+faststart"}},
    "pieces.mp4": {"codec": "aac", "options": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}},
    "a.mp3": {"codec": "libmp3lame"},
    "a.aac": {"codec": "aac"},
    "a.wv": {"codec": "wavpack"},
    "a.tta": {"codec": "tta"},
}
SOUND = tone(2.0, 48000)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_breaks_off_says_so_and_a_whole_one_does_not(tmp_path: Path, name: str) -> None:
    path = encode(tmp_path / name, SOUND, 48000, **FORMATS[name])
    whole = decode(path, tmp_path / "spool", Limits(60))
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * 0.7) + 3])
    cut = decode(path, tmp_path / "spool", Limits(60))

    assert whole.warnings == ()
    assert [warning.code for warning in cut.warnings] == ["audio_truncated"]
    assert 0.3 * whole.frames < cut.frames < 0.8 * whole.frames


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.mka", "fast.m4a", "a.mp3", "a.flac", "a.flv", "a.opus"])
def test_bytes_behind_the_sound_are_no_part_of_it(tmp_path: Path, name: str) -> None:
    path = encode(tmp_path / name, SOUND, 48000, **FORMATS[name])
    whole = decode(path, tmp_path / "spool", Limits(60))
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    tagged = decode(path, tmp_path / "spool", Limits(60))

    assert (tagged.frames, tagged.warnings) == (whole.frames, ())
