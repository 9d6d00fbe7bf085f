"""Audio files with tags and covers, as other programs write them."""

from __future__ import annotations

import io
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import av
import imageio_ffmpeg
import numpy as np
from av.video.stream import VideoStream

from tests.sounds import tone, write_sound

TAGS = {
    "title": "Sóng",
    "artist": "Ä; B",
    "album": "Álbum",
    "album_artist": "AA",
    "date": "1999",
    "track": "3/12",
    "genre": "Rock",
    "comment": "héllo",
}
# what is true of the mixture's file alone
FALSE = {
    "REPLAYGAIN_TRACK_GAIN": "-3 dB",
    "R128_TRACK_GAIN": "-5",
    "TLEN": "1000",
    "encoded_by": "LAME",
    "iTunSMPB": "0",
}


def picture(codec: str = "png", side: int = 16) -> bytes:
    """A picture of noise, which hardly shrinks."""
    pixels = np.random.default_rng(1).integers(0, 255, (side, side, 3), np.uint8)
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=1))
        stream.width = stream.height = side
        stream.pix_fmt = "rgb24" if codec == "png" else "yuvj444p"
        frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
        for each in (frame, None):
            container.mux(stream.encode(each))
    return file.getvalue()


def tagged(path: Path, tags: Mapping[str, str], cover: bytes = b"", *options: str) -> Path:
    """A second of a tone with tags, and a cover where the container has covers, written by ffmpeg."""
    sound = write_sound(path.with_name("tone.wav"), tone(1.0, 44100), 44100, kind="song.wav")
    told = [each for name, value in tags.items() for each in ("-metadata", f"{name}={value}")]
    inputs, maps = ["-i", str(sound)], ["-map", "0:a"]
    if cover and path.suffix in (".mka", ".webm"):
        picture = path.with_name("cover.png")
        picture.write_bytes(cover)
        maps += ["-attach", str(picture), "-metadata:s:t", "mimetype=image/png"]
    elif cover:
        picture = path.with_name("cover.img")
        picture.write_bytes(cover)
        inputs += ["-i", str(picture)]
        maps += ["-map", "1:v", "-c:v", "copy", "-disposition:v", "attached_pic"]
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-loglevel", "error", "-y", *inputs, *maps, *told, *options, str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return path


def flac_picture(data: bytes, media_type: str = "image/png", kind: int = 3) -> bytes:
    """A FLAC picture block (RFC 9639, 8.8)."""
    name = media_type.encode()
    return struct.pack(f">2I{len(name)}s6I", kind, len(name), name, 0, 16, 16, 24, 0, len(data)) + data


def id3v1(title: bytes, artist: bytes) -> bytes:
    """An ID3v1 tag, to append to an mp3."""
    return struct.pack("3s30s30s30s4s28sBBB", b"TAG", title, artist, b"Album", b"1987", b"", 0, 5, 17)


def id3v2(*frames: tuple[str, bytes]) -> bytes:
    """An ID3v2.3 tag of these frames."""
    body = b"".join(name.encode() + struct.pack(">IH", len(data), 0) + data for name, data in frames)
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + size + body


def apic(data: bytes, media_type: str = "image/png") -> tuple[str, bytes]:
    """A picture's frame in ID3v2."""
    return "APIC", b"\0" + media_type.encode() + b"\0\3\0" + data


def ape(**items: str) -> bytes:
    """An APEv2 tag, to append to an mp3."""
    encoded = {name.replace("_", " "): value.encode() for name, value in items.items()}
    body = b"".join(
        struct.pack("<2I", len(value), 0) + name.encode() + b"\0" + value for name, value in encoded.items()
    )
    return body + b"APETAGEX" + struct.pack("<4I8x", 2000, len(body) + 32, len(items), 0)
