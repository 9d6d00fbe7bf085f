"""Decoding: every format to the exact samples, and every broken file to its code."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from stemsvc.demo.measure import si_sdr
from stemsvc.errors import UsageError
from tests.sounds import FORMATS, tone, write_sound
from workers.audio.decode import Limits, decode
from workers.audio.track import Track

LIMITS = Limits(max_seconds=60)


def read(path: Path, limits: Limits = LIMITS) -> Track:
    return decode(path, path.parent / "decoded.f32", limits)


def refusal(path: Path, limits: Limits = LIMITS) -> str:
    with pytest.raises(UsageError) as caught:
        read(path, limits)
    return caught.value.code


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_decodes_to_the_sound_that_was_encoded(tmp_path: Path, name: str) -> None:
    sound = tone(2.0, 48000)
    track = read(write_sound(tmp_path / name, sound, 48000))

    assert track.sample_rate == 48000
    # raw AAC has no header that tells its padding; all other formats give back the exact length
    slack = 3072 if name == "song.aac" else 0
    assert abs(track.frames - len(sound)) <= slack
    shared = min(track.frames, len(sound))
    if name != "song.aac":
        assert si_sdr(track.samples()[:shared], sound[:shared]) > 20


@pytest.mark.parametrize("name", ["song.wav", "song-float.wav", "song.flac"])
def test_lossless_formats_decode_without_a_difference(tmp_path: Path, name: str) -> None:
    sound = np.round(tone(1.0, 44100) * 32768) / np.float32(32768)
    track = read(write_sound(tmp_path / name, sound.astype(np.float32), 44100))

    np.testing.assert_array_equal(track.samples(), sound)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 96000, 192000])
def test_every_sample_rate_keeps_its_rate_and_length(tmp_path: Path, rate: int) -> None:
    track = read(write_sound(tmp_path / "song.flac", tone(0.5, rate), rate))

    assert (track.sample_rate, track.frames) == (rate, rate // 2)


def test_mono_is_doubled_at_its_own_level(tmp_path: Path) -> None:
    sound = tone(0.5, 44100, channels=1)
    track = read(write_sound(tmp_path / "song-float.wav", sound, 44100, "mono"))

    np.testing.assert_array_equal(track.samples(), np.repeat(sound, 2, axis=1))
    assert track.channels == 1


def test_surround_is_mixed_down_with_its_centre_in_both_channels(tmp_path: Path) -> None:
    # given 5.1 with a tone in the centre channel alone
    sound = np.zeros((22050, 6), np.float32)
    sound[:, 2] = tone(0.5, 44100, channels=1)[:, 0]
    track = read(write_sound(tmp_path / "song-float.wav", sound, 44100, "5.1"))

    # then both channels carry it at the standard -3 dB
    assert track.channels == 6
    np.testing.assert_allclose(track.samples()[:, 0], sound[:, 2] * np.sqrt(0.5), atol=1e-5)
    np.testing.assert_array_equal(track.samples()[:, 0], track.samples()[:, 1])


def test_a_file_that_is_no_audio(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(b"this is a letter, not a song\n" * 400)

    assert refusal(path) == "not_audio"


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(b"")

    assert refusal(path) == "not_audio"


@pytest.mark.parametrize("name", ["song.wav", "song.flac"])
def test_a_file_with_no_samples(tmp_path: Path, name: str) -> None:
    path = write_sound(tmp_path / name, np.zeros((0, 2), np.float32), 44100)

    assert refusal(path) in ("no_samples", "not_audio")


def test_a_wav_with_an_empty_data_chunk(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav_header(44100, 0))

    assert refusal(path) == "no_samples"


@pytest.mark.parametrize("name", ["song.mp3", "song.wav", "song.flac", "song.aiff", "song.webm", "song.m4a"])
@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_a_truncated_file(tmp_path: Path, name: str, kept: float) -> None:
    rate = 48000 if name == "song.webm" else 44100
    path = write_sound(tmp_path / name, tone(5.0, rate), rate)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])

    if name == "song.m4a":  # it keeps its index at the end: without it nothing can be read
        assert refusal(path) == "audio_truncated"
        return
    track = read(path)
    assert warnings(track) == ["audio_truncated"]
    assert 0.6 * kept < track.seconds / 5.0 <= kept + 0.02


def warnings(track: Track) -> list[str]:
    return [warning.code for warning in track.warnings]


def test_a_file_that_breaks_off_before_its_first_sample(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav_header(44100, 44100 * 4))

    assert refusal(path) == "audio_truncated"


def test_a_truncated_mp3_without_a_length_tag(tmp_path: Path) -> None:
    # given the frames of an mp3 without its Xing header, cut inside a frame
    data = write_sound(tmp_path / "song.mp3", tone(5.0, 44100), 44100).read_bytes()
    first = data.index(b"\xff\xfb", data.index(b"Xing") if b"Xing" in data else data.index(b"Info"))
    path = tmp_path / "bare.mp3"
    path.write_bytes(data[first : len(data) // 2 + 77])

    assert warnings(read(path)) == ["audio_truncated"]


def test_a_whole_mp3_without_a_length_tag_is_fine(tmp_path: Path) -> None:
    data = write_sound(tmp_path / "song.mp3", tone(5.0, 44100), 44100).read_bytes()
    first = data.index(b"\xff\xfb", data.index(b"Xing") if b"Xing" in data else data.index(b"Info"))
    path = tmp_path / "bare.mp3"
    path.write_bytes(data[first:] + b"TAG" + bytes(125))
    track = read(path)

    assert abs(track.seconds - 5.0) < 0.2
    assert track.warnings == ()


def test_an_mp3_that_lost_the_end_of_its_last_frame(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.mp3", tone(5.0, 44100), 44100)
    path.write_bytes(path.read_bytes()[:-100])
    track = read(path)

    assert abs(track.seconds - 5.0) < 0.1
    assert warnings(track) == ["audio_truncated"]


def test_a_damaged_packet_is_left_out_and_counted(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.m4a", tone(30.0, 44100), 44100)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 700] = b"\xff" * 700
    path.write_bytes(data)
    track = read(path)

    # then the sound after it is heard when it was
    assert track.broken_packets >= 1
    assert warnings(track) == ["broken_packets"]
    assert track.frames == 30 * 44100


@pytest.mark.parametrize("share", [300, 2900])
def test_a_file_that_is_damaged_all_over(tmp_path: Path, share: int) -> None:
    path = write_sound(tmp_path / "song.flac", tone(10.0, 44100), 44100)
    data = bytearray(path.read_bytes())
    for at in range(9000, len(data), 3000):
        data[at : at + share] = bytes(share)
    path.write_bytes(data)

    if share == 300:  # of less than half of the packets
        assert warnings(read(path))[-1] == "broken_packets"
    else:
        assert refusal(path) == "audio_corrupt"


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav_header(44100, 40 * 44100 * 4) + bytes(44100 * 4))
    track = read(path)

    assert track.frames == 44100
    assert warnings(track) == ["audio_truncated"]


def test_a_header_that_promises_ten_hours(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav_header(8000, 36000 * 8000 * 4) + bytes(8000))

    assert read(path).frames == 2000


def test_a_flac_header_that_hides_most_of_the_track(tmp_path: Path) -> None:
    # given a flac of 5 s whose STREAMINFO says 1 s
    path = write_sound(tmp_path / "song.flac", tone(5.0, 44100), 44100)
    data = bytearray(path.read_bytes())
    packed = int.from_bytes(data[18:26], "big")
    data[18:26] = (packed >> 36 << 36 | 44100).to_bytes(8, "big")
    path.write_bytes(data)

    track = read(path)
    assert (track.frames, track.warnings) == (5 * 44100, ())


def test_a_track_longer_than_the_limit(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.flac", tone(3.0, 44100), 44100)

    assert refusal(path, Limits(max_seconds=2)) == "track_too_long"


def test_a_track_longer_than_the_limit_whose_header_says_nothing(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.aac", tone(3.0, 44100), 44100)

    assert refusal(path, Limits(max_seconds=2)) == "track_too_long"


def test_samples_that_are_no_numbers(tmp_path: Path) -> None:
    sound = tone(0.5, 44100)
    sound[1000] = np.nan
    path = write_sound(tmp_path / "song-float.wav", sound, 44100)

    assert refusal(path) == "samples_not_finite"


def test_more_channels_than_can_be_mixed(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav_header(44100, 500 * 2 * 100, channels=500) + bytes(500 * 2 * 100))

    assert refusal(path) in ("unsupported_audio", "not_audio")


def test_a_playlist_that_points_at_a_file(tmp_path: Path) -> None:
    song = write_sound(tmp_path / "song.wav", tone(1.0, 44100), 44100)
    path = tmp_path / "list.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nfile://{song}\n#EXT-X-ENDLIST\n")

    assert refusal(path) == "not_audio"


def test_a_video_without_sound(tmp_path: Path) -> None:
    import av

    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            file.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        file.mux(stream.encode(None))

    assert refusal(path) == "no_audio_stream"


def wav_header(rate: int, data_bytes: int, channels: int = 2) -> bytes:
    block = channels * 2
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block, block, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + data_bytes & 0xFFFFFFFF)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + (b"data" + struct.pack("<I", data_bytes & 0xFFFFFFFF))
    )
