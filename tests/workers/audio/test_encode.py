"""Encoding: exact samples where the format can, exact length always, clipping counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemsvc.demo.measure import si_sdr
from stemsvc.errors import StemsvcError
from tests.sounds import Sound, tone
from workers.audio.decode import Limits, decode
from workers.audio.encode import CODECS, Encoded, encode


def round_trip(folder: Path, sound: Sound, rate: int, format: str, depth: str | None) -> tuple[Encoded, Sound, int]:
    encoded = encode(sound, rate, folder / "stem.bin", format, depth)
    track = decode(encoded.path, folder / "decoded.f32", Limits(60))
    assert track.frames == encoded.frames
    return encoded, np.array(track.samples()), track.sample_rate


@pytest.mark.parametrize(("format", "depth"), CODECS)
@pytest.mark.parametrize("frames", [1, 5000, 44100, 100_003])
def test_every_format_keeps_rate_and_exact_length(tmp_path: Path, format: str, depth: str | None, frames: int) -> None:
    if frames == 1 and format in ("mp3", "aac"):
        frames = 2000  # their headers can't tell one sample from a frame of padding
    encoded, back, rate = round_trip(tmp_path, tone(frames / 44100, 44100), 44100, format, depth)

    assert rate == encoded.sample_rate == (48000 if format == "opus" else 44100)
    assert len(back) == round(frames * rate / 44100)
    assert encoded.bytes == encoded.path.stat().st_size


LOSSLESS = [
    ("wav", "16", 2**-15),
    ("flac", "16", 2**-15),
    ("wav", "24", 2**-23),
    ("flac", "24", 2**-23),
    ("wav", "float32", 0),
]


@pytest.mark.parametrize(("format", "depth", "step"), LOSSLESS)
def test_lossless_formats_round_to_half_a_step(tmp_path: Path, format: str, depth: str, step: float) -> None:
    sound = tone(0.5, 44100)
    _, back, _ = round_trip(tmp_path, sound, 44100, format, depth)

    assert np.abs(back - sound).max() <= step / 2 * 1.001


@pytest.mark.parametrize("format", ["mp3", "aac", "opus"])
def test_lossy_formats_sound_as_what_went_in(tmp_path: Path, format: str) -> None:
    sound = tone(2.0, 48000)
    _, back, _ = round_trip(tmp_path, sound, 48000, format, None)

    assert si_sdr(back, sound) > 25


@pytest.mark.parametrize(
    ("format", "rate", "carried"),
    [("mp3", 96000, 48000), ("aac", 192000, 96000), ("aac", 96000, 96000), ("opus", 8000, 48000)],
)
def test_a_codec_that_cannot_carry_the_rate_gets_the_nearest(
    tmp_path: Path, format: str, rate: int, carried: int
) -> None:
    encoded, back, rate_back = round_trip(tmp_path, tone(1.0, rate), rate, format, None)

    assert rate_back == encoded.sample_rate == carried
    assert len(back) == carried


def test_clipped_samples_are_counted_and_nothing_is_rescaled(tmp_path: Path) -> None:
    # given a tone with five samples beyond full scale
    sound = tone(0.1, 44100)
    sound[10:15, 0] = 1.5
    encoded, back, _ = round_trip(tmp_path, sound, 44100, "wav", "16")

    assert encoded.clipped_samples == 5
    assert back[12, 0] == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(back[100:], sound[100:], atol=2**-16)


def test_float_keeps_what_is_beyond_full_scale(tmp_path: Path) -> None:
    sound = tone(0.1, 44100) * np.float32(8)
    encoded, back, _ = round_trip(tmp_path, sound, 44100, "wav", "float32")

    assert encoded.clipped_samples == 0
    np.testing.assert_array_equal(back, sound)


def test_a_folder_that_is_not_there_is_our_own_kind_of_error(tmp_path: Path) -> None:
    with pytest.raises(StemsvcError):
        encode(tone(0.1, 44100), 44100, tmp_path / "none" / "stem.wav", "wav", "16")
