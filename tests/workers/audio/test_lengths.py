"""What decodes is the track: its length in every container, whatever the header says, and in a player's time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
import soundfile
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from stemsvc.errors import UsageError
from stemsvc.jobs.part import Part
from tests.containers import copy_packets, dff, dsf, encode, one_bit, pcm16, wav, with_tracks
from tests.sounds import Sound, tone, write_sound
from workers.audio.decode import Limits, decode
from workers.audio.track import Track

RATE = 44100
WHOLE = 132300  # frames of three seconds
SONG: Sound = (np.round(tone(3.0, RATE) * 32768) / np.float32(32768)).astype(np.float32)
FAST = tone(3.0, 48000)
MONO = tone(3.0, 48000, channels=1)
LATE = np.concatenate([np.zeros((5 * RATE, 2), np.float32), SONG])
LIMITS = Limits(max_seconds=60)


def read(path: Path, **part: Any) -> Track:
    return decode(path, path.parent / "decoded.f32", LIMITS, Part(**part))


@dataclass(frozen=True)
class Case:
    """A file, the frames that it has by FFmpeg's own decoding, and its sound where nothing may be lost of it."""

    make: Callable[[Path], Path]
    frames: int
    sound: Sound | None = None
    rate: int = RATE


def put(name: str, data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def headed(size: int) -> Case:
    return Case(put("a.wav", wav(pcm16(SONG), size)), WHOLE, SONG)


def joined(name: str, *files: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        data = b"".join(file(folder).read_bytes() for file in files)
        (folder / name).write_bytes(data)
        return folder / name

    return make


def coded(
    name: str, codec: str, sound: Sound = SONG, rate: int = RATE, container: str = "", **options: Any
) -> Callable[[Path], Path]:
    return lambda folder: encode(folder / name, sound, rate, codec, container, **options)


def moved(name: str, source: str, to: Callable[[int, float], float | None], rate: int = RATE) -> Callable[[Path], Path]:
    sound = SONG if rate == RATE else FAST
    return lambda folder: copy_packets(write_sound(folder / source, sound, rate), folder / name, to)


def vorbis(name: str, sound: Sound, rate: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        soundfile.write(folder / name, sound, rate, format="OGG", subtype="VORBIS")
        return folder / name

    return make


def vbr(folder: Path) -> Path:
    return encode(folder / "vbr.mp3", SONG, RATE, "libmp3lame", options={"flags": "+qscale", "global_quality": "472"})


def patched(path: Path, at: int, data: bytes) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + data + whole[at + len(data) :])
    return path


def holed(start: int, stop: int) -> Sound:
    sound = SONG.copy()
    sound[start:stop] = 0
    return sound


cbr = coded("cbr.mp3", "libmp3lame")
bits = one_bit(0.4 * np.sin(2 * np.pi * 1000 * np.arange(141120) / 2822400).astype(np.float32))

CASES = {
    # --- sizes that stand for none, or were never right
    "a wav that FFmpeg wrote to a pipe": headed(0xFFFFFFFF),
    "a wav that lame wrote to a pipe": headed(0x7FFFFFFF),
    "a wav that sox wrote to a pipe": headed(0x7FFFF000),
    "a wav whose placeholder has the head taken off": headed(0x7FFFFFFF - 36),
    "a wav whose placeholder has one bit": headed(0x80000000),
    "a wav whose size was never filled in": headed(0),
    "a wav whose size counts its head": headed(len(pcm16(SONG)) + 44),
    "a wav whose size is from before its sound grew": Case(
        put("a.wav", wav(pcm16(SONG), 100_000)), 25_000, SONG[:25_000]
    ),
    "an au that a pipe left open": Case(
        lambda folder: patched(encode(folder / "a.au", SONG, RATE, "pcm_s16be"), 8, b"\xff" * 4), WHOLE, SONG
    ),
    # --- blocks are no samples
    "a wav of ADPCM": Case(coded("a.wav", "adpcm_ms"), 132572),
    "a wav of GSM": Case(
        put("g.wav", wav(bytes(65 * 75), rate=8000, channels=1, code=0x31, block=65)), 24000, rate=8000
    ),
    "a wav of mp3": Case(coded("m.wav", "libmp3lame", container="wav"), 133632),
    # --- clocks that nobody set for this file
    "a vorbis whose granules start late": Case(moved("b.ogg", "song.ogg", lambda n, at: at + 100_000), WHOLE),
    "an opus whose granules start late": Case(
        moved("b.opus", "song.opus", lambda n, at: at + 100_000, 48000), 144000, rate=48000
    ),
    "an opus whose granules start a little late": Case(
        moved("b.opus", "song.opus", lambda n, at: at + 1.7, 48000), 144000, rate=48000
    ),
    "a transport stream": Case(coded("a.ts", "mp2"), 132480),
    "a matroska of a recorder that runs since yesterday": Case(
        moved("b.mka", "song.flac", lambda n, at: at + 100_000), WHOLE, SONG
    ),
    # --- joined and cut
    "two mp3s of a constant bitrate": Case(joined("j.mp3", cbr, cbr), 266159),
    "two mp3s of a variable bitrate": Case(joined("j.mp3", vbr, vbr), 266159),
    "a flac cut without decoding": Case(
        moved("cut.flac", "song.flac", lambda n, at: at if 1 <= at < 2 else None), 46080, SONG[46080 : 2 * 46080]
    ),
    "two flacs": Case(
        joined("j.flac", coded("a.flac", "flac"), coded("a.flac", "flac")), 2 * WHOLE, np.tile(SONG, (2, 1))
    ),
    # --- late starts and holes
    "a matroska that starts late": Case(coded("b.mka", "flac", late=5), WHOLE + 5 * RATE, LATE),
    "a matroska of PCM that starts late": Case(coded("b.mka", "pcm_s16le", late=5), WHOLE + 5 * RATE, LATE),
    "a webm that starts late": Case(coded("b.webm", "libopus", FAST, 48000, late=5), 384000 + 48, rate=48000),
    "an mp4 that starts late": Case(coded("b.m4a", "alac", sample_format="s16p", late=5), WHOLE + 5 * RATE, LATE),
    "a mov that starts late": Case(coded("b.mov", "pcm_s16le", late=5), WHOLE + 5 * RATE, LATE),
    "an mp4 whose padded sound starts late": Case(coded("b.m4a", "aac", late=5), 352766),
    "a transport stream that starts late": Case(coded("b.ts", "mp2", late=5), 132480),
    "a matroska with a hole": Case(
        moved("b.mka", "song.flac", lambda n, at: None if 10 <= n < 20 else at), WHOLE, holed(10 * 4608, 20 * 4608)
    ),
    "a matroska that lost one packet": Case(
        moved("b.mka", "song.flac", lambda n, at: None if n == 10 else at), WHOLE, holed(10 * 4608, 11 * 4608)
    ),
    "a webm that lost one packet": Case(
        moved("b.webm", "song.opus", lambda n, at: None if n == 70 else at, 48000), 144000, rate=48000
    ),
    "an mp4 with a hole": Case(moved("b.m4a", "song.m4a", lambda n, at: None if 40 <= n < 70 else at), WHOLE),
    # --- times that are no holes
    "a matroska of whole milliseconds": Case(moved("b.mka", "song.flac", lambda n, at: at), WHOLE, SONG),
    "a matroska whose times jitter": Case(moved("b.mka", "song.flac", lambda n, at: at + 0.03 * (n % 3)), WHOLE, SONG),
    "a matroska whose clock drifts": Case(moved("b.mka", "song.flac", lambda n, at: at * 1.01), WHOLE, SONG),
    "a matroska whose packets overlap": Case(moved("b.mka", "song.flac", lambda n, at: at * 0.5), WHOLE, SONG),
    "a matroska whose clock was set": Case(
        moved("b.mka", "song.flac", lambda n, at: at + (90_000 if n > 9 else 0)), WHOLE, SONG
    ),
    # --- chains
    "an ogg of two flacs of different rates and layouts": Case(
        joined("c.oga", coded("a.oga", "flac", container="ogg"), coded("b.oga", "flac", MONO, 48000, "ogg")), 2 * WHOLE
    ),
    "an ogg of two vorbis of different rates and layouts": Case(
        joined("c.ogg", vorbis("a.ogg", SONG, RATE), vorbis("b.ogg", MONO, 48000)), 2 * WHOLE
    ),
    "two opus of different layouts": Case(
        joined("c.opus", coded("a.opus", "libopus", FAST, 48000), coded("b.opus", "libopus", MONO, 48000)),
        288000,
        rate=48000,
    ),
    "two flacs of different rates and layouts": Case(
        joined("c.flac", coded("a.flac", "flac"), coded("b.flac", "flac", MONO, 48000)), 2 * WHOLE
    ),
    "two mp3s of different rates and layouts": Case(
        joined("c.mp3", cbr, coded("b.mp3", "libmp3lame", MONO, 48000)), 265979
    ),
    "two aacs of different rates and layouts": Case(
        joined("c.aac", coded("a.aac", "aac"), coded("b.aac", "aac", MONO, 48000)), 267738
    ),
    # --- beyond the rates of stems
    "a dsf": Case(put("a.dsf", dsf(bits, 2822400)), 4410, rate=88200),
    "a dff": Case(put("a.dff", dff(bits, 2822400)), 4410, rate=88200),
    "a wav of 384 kHz": Case(put("a.wav", wav(bytes(4 * 38400), rate=384000)), 9600, rate=96000),
}


@pytest.mark.parametrize("name", CASES)
def test_what_decodes_is_the_track(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    track = read(case.make(tmp_path))

    assert (track.sample_rate, track.frames, track.warnings) == (case.rate, case.frames, ())
    if case.sound is not None:
        np.testing.assert_array_equal(track.samples(), case.sound)


# --- parts and tracks


def refused(path: Path, **part: Any) -> str:
    with pytest.raises(UsageError) as caught:
        read(path, **part)
    return caught.value.code


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [(0.5, 1.25, 22050, 55125), (1.0, None, 44100, WHOLE), (0, 1e-4, 0, 4), (2.999999, 3.0, WHOLE, WHOLE)],
)
def test_a_part_is_exact_to_the_sample(start: float, end: float | None, first: int, last: int, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.flac", SONG, RATE)
    if first == last:
        assert refused(path, start=start, end=end) == "part_outside"
        return
    track = read(path, start=start, end=end)

    np.testing.assert_array_equal(track.samples(), SONG[first:last])
    assert track.warnings == ()


def test_a_part_that_is_partly_outside_goes_to_the_end_and_says_so(tmp_path: Path) -> None:
    track = read(write_sound(tmp_path / "song.flac", SONG, RATE), start=2.0, end=10.0)

    np.testing.assert_array_equal(track.samples(), SONG[88200:])
    assert [warning.code for warning in track.warnings] == ["end_beyond_track"]


@pytest.mark.parametrize("start", [3.0, 3.5, 1e6])
def test_a_part_that_is_outside(start: float, tmp_path: Path) -> None:
    assert refused(write_sound(tmp_path / "song.flac", SONG, RATE), start=start) == "part_outside"


def test_the_limit_on_length_bites_on_the_part(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "song.wav", SONG, RATE)
    part = Part(start=1.0, end=2.0)

    assert decode(path, tmp_path / "spool", Limits(max_seconds=1.5), part).frames == RATE


def test_a_late_start_can_be_trimmed(tmp_path: Path) -> None:
    path = encode(tmp_path / "b.mka", SONG, RATE, "flac", late=5)

    np.testing.assert_array_equal(read(path, trim_start=True).samples(), SONG)
    np.testing.assert_array_equal(read(path, trim_start=True, start=1.0).samples(), SONG[RATE:])
    np.testing.assert_array_equal(read(path, start=4.0, end=6.0).samples(), LATE[4 * RATE : 6 * RATE])


def test_a_track_of_a_video_is_chosen_by_number_or_by_the_files_own_default(tmp_path: Path) -> None:
    sounds = [SONG, 0.5 * SONG[:RATE], 0.25 * SONG[: 2 * RATE]]
    first = with_tracks(tmp_path / "first.mkv", sounds, RATE)
    second = with_tracks(tmp_path / "second.mkv", sounds, RATE, default=1)

    assert [read(first).frames, read(second).frames] == [WHOLE, RATE]
    assert [read(first, audio_track=number).frames for number in range(3)] == [WHOLE, RATE, 2 * RATE]
    assert refused(first, audio_track=3) == "audio_track_missing"


def test_sound_that_starts_after_the_picture_keeps_its_time(tmp_path: Path) -> None:
    for name, codec in (("film.mkv", "flac"), ("film.ts", "mp2")):
        path = film(tmp_path / name, codec, late=2.0)
        found = read(path)
        loud = np.flatnonzero(np.abs(found.samples()[:, 0]) > 0.05)[0] / RATE
        assert loud == pytest.approx(2.0, abs=0.05), name
        assert read(path, trim_start=True).frames < found.frames - 1.9 * RATE


def film(path: Path, codec: str, late: float) -> Path:
    """A picture of three seconds, with sound that begins later."""
    with av.open(str(path), "w") as file:
        picture = file.add_stream("mpeg4" if path.suffix == ".mkv" else "mpeg2video", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        sound = cast(AudioStream, file.add_stream(codec, rate=RATE))
        sound.layout, sound.format = "stereo", "s16"
        for number in range(75):
            image = av.VideoFrame(64, 64, "yuv420p")
            image.pts = number
            file.mux(picture.encode(image))
        file.mux(picture.encode(None))
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(SONG.T), "fltp", "stereo")
        frame.sample_rate, frame.pts = RATE, round(late * RATE)
        file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return path
