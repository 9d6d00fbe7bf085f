"""`.stem.mp4`, read as Mixxx does: the atom `moov/udta/stem`, then the streams by FFmpeg."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from tinytag import TinyTag

from stemsvc.jobs.encoding import Encoding
from stemsvc.kinds.export.kind import ExportParams
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings
from tests.programs import absent, need
from tests.tagged import picture, tagged
from tests.workers.kinds.export.conftest import ANALYSIS, NAMES, RATE, STEMS, Exported, exported
from workers.audio.decode import Limits
from workers.kinds.base import LocalInput
from workers.kinds.export.work import export
from workers.kinds.local import LocalAttempt


def atom(data: bytes, path: list[bytes]) -> bytes:
    """The body of the first box at that path; sizes of 32 and of 64 bits."""
    at = 0
    while at < len(data):
        size, head = int.from_bytes(data[at : at + 4]), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16]), 16
        if data[at + 4 : at + 8] == path[0]:
            body = data[at + head : at + size]
            return body if len(path) == 1 else atom(body, path[1:])
        at += size
    raise AssertionError(f"no box {path[0]!r}")


def streams(path: Path) -> list[np.ndarray]:
    """Samples of each stream [frames, 2], as a share of full scale."""
    found = []
    with av.open(str(path)) as container:
        count = len(container.streams.audio)
    for number in range(count):
        with av.open(str(path)) as container:
            stream = container.streams.audio[number]
            blocks = [frame.to_ndarray() for frame in container.decode(stream)]
        sound = np.concatenate(blocks, axis=1).T
        scale = {np.dtype(np.int32): 2.0**31, np.dtype(np.int16): 2.0**15}.get(sound.dtype, 1.0)
        found.append(sound.astype(np.float64) / scale)
    return found


def test_the_atom_tells_of_four_stems(song: Exported) -> None:
    data = song.made.files["stem.mp4"].path.read_bytes()
    told = json.loads(atom(data, [b"moov", b"udta", b"stem"]))
    assert told["version"] == 1
    assert [stem["name"] for stem in told["stems"]] == list(NAMES)
    assert [stem["color"] for stem in told["stems"]] == [track["colour"] for track in song.made.facts["tracks"]]
    assert told["mastering_dsp"]["limiter"]["enabled"] is False
    assert told["mastering_dsp"]["compressor"]["enabled"] is False


def test_alac_has_the_stems_to_the_bit_and_their_sum_before_them(song: Exported) -> None:
    mix, *stems = streams(song.made.files["stem.mp4"].path)
    total = np.zeros_like(mix)
    for heard, (name, depth, *_) in zip(stems, STEMS, strict=True):
        came = song.sounds[name]
        wanted = np.zeros_like(heard)
        wanted[: len(came)] = came
        off = 0.0 if depth != "FLOAT" else 2.0**-24  # half a step of 24 bits
        assert np.abs(heard - wanted).max() <= off
        total += wanted
    assert np.abs(mix - total).max() <= 2.0**-23


READERS = Path(sys.prefix) / "readers"  # stempeg, which `make test` puts there where CI is set
BY_STEMPEG = """
import sys
import numpy, stempeg
sound, rate = stempeg.read_stems(sys.argv[1], dtype=numpy.float64)
numpy.savez(sys.argv[2], sound=numpy.array(sound), rate=rate)
"""


def test_stempeg_reads_the_mixture_and_its_stems(song: Exported, tmp_path: Path) -> None:
    need("ffmpeg")
    if not READERS.exists():
        absent("stempeg")
    path, saved = song.made.files["stem.mp4"].path, tmp_path / "found.npz"
    command = [sys.executable, "-c", BY_STEMPEG, str(path), str(saved)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(READERS)}, check=True, timeout=60)

    found = np.load(saved)
    assert int(found["rate"]) == RATE
    for ours, theirs in zip(streams(path), found["sound"], strict=True):
        assert np.abs(theirs - ours).max() <= 2.0**-23


@pytest.mark.parametrize("count", [1, 2, 6])
def test_any_number_of_tracks_makes_four_stems(tmp_path: Path, count: int) -> None:
    files = []
    for number in range(count):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.full((RATE // 10, 2), (number + 1) / 64), RATE, subtype="PCM_16")
        files.append(path)
    made = exported(tmp_path / "work", ExportParams(("stem.mp4",)), files)
    _, *stems = streams(made.files["stem.mp4"].path)
    assert len(stems) == 4
    assert sum(stem[100, 0] for stem in stems) == pytest.approx(sum(range(1, count + 1)) / 64)


def test_aac_plays_as_long(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((RATE, 2)), RATE)
    made = exported(tmp_path / "work", ExportParams(("stem.mp4",), codec="aac"), [tmp_path / "a.wav"])
    assert {stream.shape[0] // 1024 for stream in streams(made.files["stem.mp4"].path)} <= {43, 44, 45}


def test_a_sum_beyond_full_scale_is_clipped_with_a_word(tmp_path: Path) -> None:
    files = []
    for number in range(2):
        files.append(tmp_path / f"{number}.wav")
        soundfile.write(files[-1], np.full((1000, 2), 0.75), RATE, subtype="PCM_16")
    made = exported(tmp_path / "work", ExportParams(("stem.mp4",)), files)
    assert made.files["stem.mp4"].facts["clipped_samples"] == 2000


def test_it_has_the_song_s_tags_and_cover_its_tempo_and_its_key(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, rng.uniform(-0.2, 0.2, (RATE, 2)), RATE, subtype="PCM_16")
    fields = {"title": "My Song", "artist": "Who \u266b", "album": "What", "date": "2020"}
    song = tagged(tmp_path / "song.flac", fields, picture())
    (tmp_path / "analysis.json").write_text(json.dumps({**ANALYSIS, "key": "F# minor"}))
    inputs = [LocalInput(tmp_path / name, name) for name in ("a.wav", "b.wav")]
    inputs += [LocalInput(song, "song.flac", "mixture"), LocalInput(tmp_path / "analysis.json", "x.json", "analysis")]
    (tmp_path / "work").mkdir()
    attempt = LocalAttempt(tmp_path / "work", Encoding(), load_catalog(), Limits(1e6), Settings(), lambda *_: None)
    made = export(ExportParams(("stem.mp4",)), inputs, attempt)

    path = made.files["stem.mp4"].path
    assert made.facts["title"] == "My Song"
    with av.open(str(path)) as container:
        told = dict(container.metadata)
    assert {name: told[name] for name in fields} == fields
    found = TinyTag.get(path, image=True)
    assert found.other["bpm"] == ["120"]
    assert found.images.front_cover is not None
    items = atom(path.read_bytes(), [b"moov", b"udta", b"meta"])[4:]
    assert b"com.apple.iTunes" in items
    assert atom(items, [b"ilst", b"----", b"data"])[8:] == b"F# minor"
    assert json.loads(atom(path.read_bytes(), [b"moov", b"udta", b"stem"]))["version"] == 1
    assert len(streams(path)) == 5
