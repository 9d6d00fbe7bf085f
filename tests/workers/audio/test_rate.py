"""Rate conversion: piece by piece is the same as at once, and the length is exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr

from stemsvc.errors import TransientError
from tests.sounds import Sound, tone
from workers.audio.rate import RateConverter, resample, resample_track
from workers.audio.track import Track


def track_of(sound: Sound, rate: int, path: Path) -> Track:
    path.write_bytes(sound.tobytes())
    return Track(path, "raw", rate, 2, len(sound))


@pytest.mark.parametrize(("source", "target"), [(48000, 44100), (8000, 44100), (96000, 44100), (44100, 44100)])
@pytest.mark.parametrize("piece", [1000, 65_536, 1_000_000])
def test_pieces_give_the_samples_of_the_whole(source: int, target: int, piece: int) -> None:
    sound = tone(3.0, source)
    converter = RateConverter(source, target)
    pieces = [converter.convert(sound[start : start + piece]) for start in range(0, len(sound), piece)]

    got = np.concatenate([*pieces, converter.finish()])
    np.testing.assert_array_equal(got, soxr.resample(sound, source, target, quality="VHQ"))


@pytest.mark.parametrize("frames", [1, 2, 5, 999, 44_100])
def test_there_and_back_is_of_the_same_length(frames: int) -> None:
    sound = tone(1.0, 44100)[:frames]

    assert len(resample(resample(sound, 44100, 48000), 48000, 44100, frames)) == frames


def test_a_track_is_resampled_into_a_file_of_its_own(tmp_path: Path) -> None:
    sound = tone(5.0, 48000)
    track = resample_track(track_of(sound, 48000, tmp_path / "a"), 44100, tmp_path / "b")

    assert (track.frames, track.sample_rate, track.path) == (5 * 44100, 44100, tmp_path / "b")
    np.testing.assert_array_equal(track.samples(), resample(sound, 48000, 44100))
    np.testing.assert_array_equal(track.read(1000, 2000), track.samples()[1000:2000])


def test_a_full_scratch_disk_is_a_transient_error(tmp_path: Path) -> None:
    with pytest.raises(TransientError) as caught:
        resample_track(track_of(tone(1.0, 48000), 48000, tmp_path / "a"), 44100, Path("/dev/full"))
    assert caught.value.code == "scratch_full"
