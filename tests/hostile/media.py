"""Files that lie, are broken, or want more than to be heard."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.sounds import tone, write_sound

SECRET = b"root:"  # of a file that lists would like us to open


def riff(channels: int = 2, rate: int = 44100, bits: int = 16, claimed: int | None = None, data: bytes = b"") -> bytes:
    """A wav whose header says what it likes."""
    block = max(1, channels * bits // 8) & 0xFFFF
    size = len(data) if claimed is None else claimed
    tag = 3 if bits == 32 else 1
    fmt = struct.pack("<HHIIHH", tag, channels, rate, (rate * block) & 0xFFFFFFFF, block, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", size & 0xFFFFFFFF) + data
    return b"RIFF" + struct.pack("<I", (len(body)) & 0xFFFFFFFF) + body


def liars() -> Iterator[tuple[str, bytes]]:
    """Headers that claim."""
    some = bytes(8820)
    yield "ten-hours.wav", riff(claimed=36000 * 44100 * 4, data=some)
    yield "five-hundred-channels.wav", riff(channels=500, data=bytes(500 * 2 * 400))
    yield "no-channels.wav", riff(channels=0, data=some)
    yield "all-channels.wav", riff(channels=65535, data=some)
    yield "no-rate.wav", riff(rate=0, data=some)
    yield "slow.wav", riff(rate=7, data=some)
    yield "four-gigahertz.wav", riff(rate=0xFFFFFFFF, data=some)
    yield "no-bits.wav", riff(bits=0, data=some)
    yield "many-bits.wav", riff(bits=4096, data=some)
    yield "no-samples.wav", riff(data=b"")
    yield "one-sample.wav", riff(data=b"\1\0\2\0")
    yield "half-a-sample.wav", riff(data=b"\1\0\2")
    yield "not-a-number.wav", riff(bits=32, data=struct.pack("<f", float("nan")) * 2000)
    yield "infinite.wav", riff(bits=32, data=struct.pack("<f", float("inf")) * 2000)
    yield "loud.wav", riff(bits=32, data=struct.pack("<f", 3e38) * 2000)
    yield "negative-size.wav", riff(claimed=0xFFFFFFFF, data=some)
    yield "huge-block.flac", b"fLaC\x84\xff\xff\xff" + bytes(1000)
    yield "huge-tag.mp3", b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(1000)
    yield "huge-atom.mp4", struct.pack(">I", 1) + b"ftypisom" + bytes(8) + struct.pack(">IQ", 1, 1 << 62) + b"moov"
    table = b"stsz" + struct.pack(">III", 0, 0, 0x7FFFFFFF)
    yield (
        "huge-table.mp4",
        struct.pack(">I", 16)
        + b"ftypisom\0\0\0\0"
        + struct.pack(">I", len(table) + 12)
        + b"moov"
        + (struct.pack(">I", len(table) + 4) + table),
    )
    nested = b""
    for _ in range(3000):
        nested = struct.pack(">I", min(len(nested) + 8, 0xFFFFFFFF)) + b"moov" + nested
    yield "nested.mp4", struct.pack(">I", 16) + b"ftypisom\0\0\0\0" + nested
    yield "nested.mkv", b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" * 2000
    yield "endless.ogg", b"OggS\0\2" + bytes(20) + b"\xff" + b"\xff" * 255 + bytes(4000)


def wishers() -> Iterator[tuple[str, bytes]]:
    """Files that name other files and addresses, and archives."""
    passwd, metadata = "file:///etc/passwd", "http://169.254.169.254/latest/meta-data/"
    targets = (
        passwd,
        metadata,
        "/etc/passwd",
        "concat:/etc/passwd|/etc/hosts",
        "subfile,,start,0,end,9,,:/etc/passwd",
    )
    for name, target in enumerate(targets):
        hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9.0,\n{target}\n#EXT-X-ENDLIST\n"
        yield f"list-{name}.m3u8", hls.encode()
        yield f"key-{name}.m3u8", f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:9,\nx.ts\n'.encode()
        yield f"list-{name}.ffconcat", f"ffconcat version 1.0\nfile '{target}'\n".encode()
        yield f"list-{name}.pls", f"[playlist]\nFile1={target}\nNumberOfEntries=1\n".encode()
        yield f"list-{name}.mpd", f'<?xml version="1.0"?><MPD><BaseURL>{target}</BaseURL></MPD>'.encode()
    yield "bomb.svg", b'<!DOCTYPE s [<!ENTITY a "' + b"a" * 1000 + b'">]><svg>' + b"&a;" * 1000 + b"</svg>"
    yield "session.sdp", b"v=0\no=- 0 0 IN IP4 169.254.169.254\nc=IN IP4 169.254.169.254\nm=audio 9 RTP/AVP 0\n"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../song.wav", bytes(10_000_000))
    yield "bomb.zip", archive.getvalue()
    yield "bomb.wav.gz", gzip.compress(bytes(20_000_000))
    yield "text.mp3", b"hello " * 1000
    yield "page.mp3", b"<html><body>hello</body></html>"
    yield "program.mp3", b"\x7fELF\2\1\1" + bytes(2000)
    yield "zeros.mp3", bytes(100_000)
    yield "one-byte.mp3", b"\xff"
    yield "picture.png", b"\x89PNG\r\n\x1a\n" + bytes(500)


def mutants(folder: Path, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Good files with bytes changed, cut out, doubled, or cut off."""
    random_ = random.Random(seed)
    names = ("song.wav", "song.flac", "song.mp3", "song.ogg", "song.opus", "song.m4a", "song.aac", "song.webm")
    good = {name: write_sound(folder / name, tone(1.0, 48000), 48000).read_bytes() for name in names}
    for index in range(count):
        name = names[index % len(names)]
        data = bytearray(good[name])
        head = min(len(data), random_.choice((64, 512, 4096, len(data))))
        for _ in range(random_.choice((1, 4, 32, 256))):
            at = random_.randrange(head)
            data[at : at + random_.choice((1, 4))] = random_.choice(
                (b"\0", b"\xff", b"\x7f\xff\xff\xff", random_.randbytes(2))
            )
        if index % 3 == 1:
            del data[random_.randrange(len(data)) :]
        elif index % 3 == 2:
            at = random_.randrange(len(data))
            data[at:at] = data[: random_.randrange(len(data))]
        yield f"mutant-{index}-{name}", bytes(data)
