"""Tags and covers: read from every container, written into every format, bounded where a file is hostile."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from tinytag import TinyTag

from tests.sounds import tone, write_sound
from tests.tagged import FALSE, TAGS, ape, apic, flac_picture, id3v1, id3v2, picture, tagged
from workers.audio.decode import CONTAINERS, Limits, decode
from workers.audio.decode_process import decode_apart
from workers.audio.encode import CODECS, Encoder
from workers.audio.read_tags import read_tags
from workers.audio.tags import MOST_BYTES, MOST_COVER, MOST_FIELDS, NONE, Cover, Tags, carried
from workers.audio.write_tags import append_chunk

PNG, JPEG = picture(), picture("mjpeg")
# file -> whether it takes a cover, and options of ffmpeg
WRITTEN: dict[str, tuple[bool, tuple[str, ...]]] = {
    "a.mp3": (True, ()),
    "old.mp3": (True, ("-id3v2_version", "3")),
    "a.flac": (True, ()),
    "a.m4a": (True, ("-c:a", "aac")),
    "a.ogg": (False, ("-c:a", "libvorbis")),
    "a.opus": (False, ("-c:a", "libopus")),
    "a.oga": (False, ("-c:a", "flac")),
    "a.mka": (True, ("-c:a", "flac")),
    "a.webm": (False, ("-c:a", "libopus", "-metadata:s:a", "title=Stereo")),
    "a.aiff": (True, ("-write_id3v2", "1")),
    "a.wv": (False, ()),
    "a.tta": (False, ()),
    "a.wma": (False, ("-c:a", "wmav2")),
    "a.aac": (False, ("-c:a", "aac", "-write_id3v2", "1")),
}


def read(path: Path) -> Tags:
    return read_tags(path, CONTAINERS, path.with_name("cover"))


@pytest.mark.parametrize("name", WRITTEN)
def test_tags_of_every_container_are_read(tmp_path: Path, name: str) -> None:
    covered, options = WRITTEN[name]
    found = read(tagged(tmp_path / name, TAGS | FALSE, PNG if covered else b"", *options))

    fields = {key.lower(): value for key, value in found.fields.items()}
    assert fields == TAGS  # nothing that is true of the mixture's file alone
    if covered:
        assert found.cover is not None
        assert (found.cover.data, found.cover.codec, found.cover.width) == (PNG, "png", 16)


def test_a_wav_says_it_in_its_info(tmp_path: Path) -> None:
    found = read(tagged(tmp_path / "a.wav", TAGS | FALSE))
    assert dict(found.fields) == {name: TAGS[name] for name in found.fields}
    assert {"title", "artist", "date", "track", "genre", "comment"} <= set(found.fields)


def test_tags_without_an_encoding_are_western(tmp_path: Path) -> None:
    path = tagged(tmp_path / "a.mp3", {}, b"", "-id3v2_version", "0")
    with path.open("ab") as file:
        file.write(id3v1("Sóng".encode("cp1252"), b"Bj\xf6rk \x93x\x94"))
    found = read(path)

    assert (found.title, found.fields["artist"], found.fields["date"]) == ("Sóng", "Björk “x”", "1987")


@pytest.mark.parametrize("behind", [b"", id3v1(b"", b"")])
def test_ape_tags_of_an_mp3_are_read(tmp_path: Path, behind: bytes) -> None:
    path = tagged(tmp_path / "a.mp3", {}, b"", "-id3v2_version", "0")
    with path.open("ab") as file:
        file.write(ape(Title="Sóng", Artist="A\0B", Year="2001", MP3GAIN_MINMAX="0,1") + behind)
    found = read(path).fields

    assert found["Title"] == "Sóng"
    assert (found["Artist"], found["date"]) == ("A;B", "1987" if behind else "2001")
    assert not any("gain" in name.lower() for name in found)


@pytest.mark.parametrize(
    "broken", [b"APETAGEX" + b"\xff" * 24, ape(Title="x")[:8] + b"APETAGEX" + b"\xd0\7\0\0\x21" + bytes(19)]
)
def test_a_broken_ape_tag_is_none(tmp_path: Path, broken: bytes) -> None:
    path = tagged(tmp_path / "a.mp3", {}, b"", "-id3v2_version", "0")
    with path.open("ab") as file:
        file.write(broken)
    assert dict(read(path).fields) == {}


def test_a_cover_in_a_comment_of_ogg_is_read(tmp_path: Path) -> None:
    block = base64.b64encode(flac_picture(JPEG, "image/jpeg")).decode()
    found = read(tagged(tmp_path / "a.opus", {"METADATA_BLOCK_PICTURE": block}, b"", "-c:a", "libopus"))

    assert found.cover is not None
    assert (found.cover.data, found.cover.media_type) == (JPEG, "image/jpeg")
    assert dict(found.fields) == {}


def sounding(path: Path, head: bytes) -> Path:
    """An mp3 with this before its sound."""
    sound = tagged(path.with_name("plain.mp3"), {}, b"", "-id3v2_version", "0")
    path.write_bytes(head + sound.read_bytes())
    return path


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture at all" * 100, PNG[:8] + b"\xff" * 500, b"GIF89a" + bytes(500), PNG + bytes(MOST_COVER)],
    ids=["empty", "text", "broken", "gif", "large"],
)
def test_a_cover_that_is_no_picture_or_too_large_is_left_out(tmp_path: Path, data: bytes) -> None:
    found = read(sounding(tmp_path / "a.mp3", id3v2(("TIT2", b"\0Song"), apic(data))))
    assert (found.title, found.cover) == ("Song", None)


def test_a_cover_of_a_hundred_megabytes_costs_its_song_nothing(tmp_path: Path) -> None:
    path = sounding(tmp_path / "a.mp3", id3v2(("TIT2", b"\0Song"), apic(PNG + bytes(100_000_000))))
    track = decode_apart(path, tmp_path / "decoded", Limits(60), lambda: None)

    assert (track.tags.title, track.tags.cover, track.frames) == ("Song", None, 44100)


def test_the_front_is_the_cover_whatever_comes_first(tmp_path: Path) -> None:
    back = ("APIC", b"\0image/jpeg\0\4\0" + JPEG)
    found = read(sounding(tmp_path / "a.mp3", id3v2(back, apic(PNG))))
    assert found.cover is not None
    assert found.cover.data == PNG


def test_what_is_carried_is_bounded_and_clean() -> None:
    many = [(f"key{number}", "x" * 1000) for number in range(10_000)]
    kept = carried([("title", "a\0b\r\nc\u202ed\te\ud800\x1b[2J"), ("Title", "second"), ("", "x"), ("a=b", "x"), *many])

    assert kept["title"] == "ab\ncd e[2J"
    assert "Title" not in kept
    assert len(kept) <= MOST_FIELDS
    assert sum(len(name) + len(value) for name, value in kept.items()) <= MOST_BYTES
    assert len(carried([("lyrics-eng", "字" * 1_000_000)])["lyrics"].encode()) <= 16 * 1024
    assert carried([("comment", "\0\0"), ("ENCODER", "x"), ("replaygain_album_peak", "1"), ("acoustid_id", "1")]) == {}


@pytest.fixture
def tags(tmp_path: Path) -> Tags:
    (tmp_path / "art.png").write_bytes(PNG)
    return Tags({**TAGS, "MOOD": "fine", "lyrics": "la\nla"}, Cover(tmp_path / "art.png", "png", 16, 16))


@pytest.mark.parametrize(("format", "depth"), CODECS)
def test_every_format_carries_tags_and_cover_beside_the_same_sound(
    tmp_path: Path, tags: Tags, format: str, depth: str | None
) -> None:
    sounds = []
    for each in (tags, NONE):
        encoder = Encoder(tmp_path / f"stem.{format}", 44100, format, depth, each)
        encoder.write(tone(12.0, 44100))
        encoded = encoder.close()
        track = decode(encoded.path, tmp_path / "decoded.f32", Limits(60))
        assert track.frames == encoded.frames
        assert encoded.bytes == encoded.path.stat().st_size
        sounds.append(track.samples())
        found = read(encoded.path)
        lost = {"MOOD"} if format == "aac" else set()  # FFmpeg writes no fields of one's own into mp4
        assert dict(found.fields) == {name: value for name, value in each.fields.items() if name not in lost}
        assert (found.cover and found.cover.data) == (PNG if each.cover else None)
        if each.cover and format in ("wav", "flac", "mp3"):  # another program's eyes
            seen = TinyTag.get(encoded.path, image=True)
            assert (seen.title, seen.album, seen.year) == (TAGS["title"], TAGS["album"], TAGS["date"])
            assert seen.images.front_cover is not None
            assert seen.images.front_cover.data == PNG
    np.testing.assert_array_equal(sounds[0], sounds[1])


def test_a_chunk_fits_the_long_header_too(tmp_path: Path) -> None:
    # given the head of a file of more than 4 GiB, and a plain one that a chunk would make too large
    long, full = tmp_path / "long.wav", tmp_path / "full.wav"
    long.write_bytes(b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0" + bytes(28))
    full.write_bytes(b"RIFF")
    with full.open("r+b") as file:
        file.truncate(0xFFFFFFFF)  # sparse
    append_chunk(long, b"id3 ", b"abc")
    append_chunk(full, b"id3 ", b"abc")

    assert long.read_bytes()[20:28] == (long.stat().st_size - 8).to_bytes(8, "little")
    assert long.read_bytes().endswith(b"id3 \3\0\0\0abc\0")
    assert full.stat().st_size == 0xFFFFFFFF


def test_tags_survive_the_decoder_s_process(tmp_path: Path) -> None:
    path = tagged(tmp_path / "a.flac", TAGS, PNG)
    track = decode_apart(path, tmp_path / "decoded", Limits(60), lambda: None)

    assert dict(track.tags.fields) == TAGS
    assert track.tags.cover is not None
    assert track.tags.cover.data == PNG


def test_a_file_without_tags_has_none(tmp_path: Path) -> None:
    assert read(write_sound(tmp_path / "song.flac", tone(0.1, 44100), 44100)) == NONE
    (tmp_path / "letter.mp3").write_text("no music")
    assert read(tmp_path / "letter.mp3") == NONE
