"""The pack that players stream: cut as a player cuts it, and compared with the stems."""

from __future__ import annotations

import io
import json
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from av.container import InputContainer

from stemsvc.demo.render import render_song
from tests.sounds import Sound
from workers.audio.preview import SEGMENT, PreviewWriter
from workers.audio.rate import resample

SECONDS = 6.5  # a segment and a half
RATE = 44100


@pytest.fixture(scope="module")
def stems() -> dict[str, Sound]:
    rendered = render_song(9511, SECONDS)
    return {name: np.ascontiguousarray(rendered[name].T.astype(np.float32)) for name in ("drums", "vocals")}


def written(folder: Path, stems: dict[str, Sound], codec: str, rate: int = RATE, channels: int = 2) -> dict[str, Any]:
    with PreviewWriter(folder / "preview.pack", tuple(stems), rate, codec, channels, 2) as pack:
        for start in range(0, len(stems["drums"]), 50_000):
            pack.write([stem[start : start + 50_000] for stem in stems.values()])
        pack.finish(folder / "preview.json")
    return cast("dict[str, Any]", json.loads((folder / "preview.json").read_text()))


def decoded(data: bytes) -> Sound:
    """A file's samples [n, channels]."""
    with cast(InputContainer, av.open(io.BytesIO(data))) as file:
        frames = list(file.decode(audio=0))
    channels = frames[0].layout.nb_channels
    arrays = [frame.to_ndarray() for frame in frames]
    if arrays[0].dtype == np.int16:
        arrays = [each.reshape(-1, channels).T / np.float32(32768) for each in arrays]
    return np.ascontiguousarray(np.concatenate(arrays, axis=1).T, np.float32)


def played(folder: Path, index: dict[str, Any]) -> dict[str, Sound]:
    """The stems as a player hears them: each file is decoded alone, and its roll is cut."""
    pack, roll = (folder / "preview.pack").read_bytes(), index["roll_frames"]
    sizes = [size for segment in index["segments"] for size in segment]
    starts = [0, *accumulate(sizes)]
    assert starts[-1] == len(pack)
    heard: dict[str, list[Sound]] = {name: [] for name in index["stems"]}
    for number, (start, size) in enumerate(zip(starts, sizes, strict=False)):
        segment, stem = divmod(number, len(index["stems"]))
        samples = decoded(pack[start : start + size])
        length = min(SEGMENT, index["frames"] - segment * SEGMENT)
        # to the sample; a file that ends with an MPEG frame of padding alone keeps some of it
        assert len(samples) == length + 2 * roll or (index["codec"] == "mp3" and length < SEGMENT)
        heard[index["stems"][stem]].append(samples[roll : roll + length])
    return {name: np.concatenate(pieces) for name, pieces in heard.items()}


def test_mp3_segments_fit_together_to_the_sample(tmp_path: Path, stems: dict[str, Sound]) -> None:
    index = written(tmp_path, stems, "mp3")
    heard = played(tmp_path, index)

    assert (index["codec"], index["roll_frames"], index["channels"]) == ("mp3", 2304, 2)
    for name, stem in stems.items():
        error = heard[name] - stem
        assert heard[name].shape == stem.shape
        assert np.sqrt(np.mean(stem**2)) > 4 * np.sqrt(np.mean(error**2))  # the same sound at the same place
        seams = [slice(at - 1152, at + 1152) for at in range(SEGMENT, len(stem), SEGMENT)]
        at_seams = np.sqrt(np.mean([np.mean(error[seam] ** 2) for seam in seams]))
        near = [slice(at - 20_000, at + 20_000) for at in range(SEGMENT, len(stem), SEGMENT)]
        assert at_seams < 1.5 * np.sqrt(np.mean([np.mean(error[each] ** 2) for each in near]))


def test_flac_segments_are_the_stems_in_16_bits(tmp_path: Path, stems: dict[str, Sound]) -> None:
    index = written(tmp_path, stems, "flac")
    heard = played(tmp_path, index)

    assert (index["codec"], index["roll_frames"], index["content_type"]) == ("flac", 0, "audio/flac")
    for name, stem in stems.items():
        assert np.abs(heard[name] - np.clip(stem, -1, 32767 / 32768)).max() <= 0.5 / 32768 + 1e-9


def test_stems_of_another_rate_are_converted_and_mono_ones_stay_mono(tmp_path: Path, stems: dict[str, Sound]) -> None:
    at_48 = {name: resample(stem, RATE, 48000) for name, stem in stems.items()}
    index = written(tmp_path, at_48, "flac", 48000, channels=1)
    heard = played(tmp_path, index)

    assert (index["sample_rate"], index["frames"]) == (RATE, len(stems["drums"]))
    for name, stem in at_48.items():
        mean = np.clip(resample(stem, 48000, RATE, index["frames"]).mean(axis=1, keepdims=True), -1, 32767 / 32768)
        assert heard[name].shape == mean.shape
        assert np.abs(heard[name] - mean).max() < 1 / 32768


@pytest.mark.parametrize("frames", [0, 1, SEGMENT, SEGMENT + 1])
def test_a_track_of_any_length_has_its_segments(tmp_path: Path, frames: int) -> None:
    stems = {name: np.full((frames, 2), 0.1, np.float32) for name in ("drums", "bass")}
    index = written(tmp_path, stems, "mp3")

    assert (index["frames"], len(index["segments"])) == (frames, -(-frames // SEGMENT))
    if frames:
        assert len(played(tmp_path, index)["bass"]) == frames
