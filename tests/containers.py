"""Files as recorders, pipes and editors leave them: copied packets, moved timestamps, joined tracks, odd heads."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from numpy.typing import NDArray

from tests.sounds import Sound

Moved = Callable[[int, float], float | None]  # a packet's number and time to its new time; None drops it


def encode(path: Path, samples: Sound, rate: int, codec: str, container: str = "", **options: Any) -> Path:
    """Write samples [frames, channels] with any encoder and container of FFmpeg; `late` seconds after the start."""
    late, sample_format = options.pop("late", 0.0), options.pop("sample_format", None)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[1]]
    with av.open(str(path), "w", format=container or None, options=options.pop("options", {})) as file:
        stream = cast(AudioStream, file.add_stream(codec, rate=rate))
        stream.layout = layout
        stream.format = sample_format or stream.codec_context.codec.audio_formats[0].name  # type: ignore[index]
        data = np.ascontiguousarray(samples.astype(np.float32).T)
        for start in range(0, data.shape[1], 4096):
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(data[:, start : start + 4096]), "fltp", layout)
            frame.sample_rate, frame.pts = rate, start + round(late * rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def copy_packets(source: Path, path: Path, moved: Moved, container: str = "", **options: str) -> Path:
    """Copy the packets of a file's first audio track into another file (`-c copy`), at other times or not at all."""
    with av.open(str(source)) as old, av.open(str(path), "w", format=container or None, options=options) as new:
        track = old.streams.audio[0]
        copied = new.add_stream_from_template(track)
        for number, packet in enumerate(_packets(old.demux(track))):
            assert packet.pts is not None
            assert track.time_base is not None
            at = moved(number, float(packet.pts * track.time_base))
            if at is not None:
                packet.pts = packet.dts = round(at / track.time_base)
                packet.stream = copied
                new.mux(packet)
    return path


def _packets(packets: Iterator[Packet[Any]]) -> Iterator[Packet[Any]]:
    return (packet for packet in packets if packet.size)


def with_tracks(path: Path, sounds: list[Sound], rate: int, default: int | None = None) -> Path:
    """A Matroska file with several lossless audio tracks."""
    from av.stream import Disposition

    with av.open(str(path), "w") as file:
        streams = [file.add_stream("flac", rate=rate) for _ in sounds]
        for number, stream in enumerate(streams):
            stream.layout, stream.format = "stereo", "s16"
            stream.disposition = Disposition.default if number == default else Disposition(0)
        for stream, sound in zip(streams, sounds, strict=True):
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(sound.T.astype(np.float32)), "fltp", "stereo")
            frame.sample_rate, frame.pts = rate, 0
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    return path


def wav(
    data: bytes, size: int | None = None, rate: int = 44100, channels: int = 2, code: int = 1, block: int = 0
) -> bytes:
    """A wav whose data chunk says `size` (by default the truth), of 16-bit PCM unless `code` and `block` differ."""
    block = block or channels * 2
    bits, more = (16, b"") if code == 1 else (0, struct.pack("<HH", 2, 320))  # samples of a block of GSM
    form = struct.pack("<HHIIHH", code, channels, rate, rate * block // (320 if more else 1), block, bits) + more
    told = len(data) if size is None else size
    head = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", told & 0xFFFFFFFF)
    return b"RIFF" + struct.pack("<I", len(head) + told & 0xFFFFFFFF) + head + data


def pcm16(sound: Sound) -> bytes:
    """Samples [frames, channels] as 16-bit integers."""
    return np.rint(sound * 32768).clip(-32768, 32767).astype("<i2").tobytes()


def one_bit(sound: NDArray[np.float32]) -> bytes:
    """Samples [n] of a slow sound as DSD: a second-order delta-sigma modulator's bits, the first one on top."""
    first = second = out = 0.0
    bits = np.zeros(len(sound), np.uint8)
    for number, sample in enumerate(sound.tolist()):
        first += sample - out
        second += first - out
        out = 1.0 if second >= 0 else -1.0
        bits[number] = out > 0
    return np.packbits(bits).tobytes()


def dsf(bits: bytes, rate: int, block: int = 4096) -> bytes:
    """A DSF file: Sony's container of DSD, with the same bits in both channels."""
    turned = np.packbits(np.unpackbits(np.frombuffer(bits, np.uint8)), bitorder="little").tobytes()
    blocks = [turned[at : at + block].ljust(block, b"\x69") for at in range(0, len(turned), block)]
    data = b"".join(each + each for each in blocks)
    form = struct.pack("<QIIIIIIQII", 52, 1, 0, 2, 2, rate, 1, len(bits) * 8, block, 0)
    head = struct.pack("<QQQ", 28, 28 + 52 + 12 + len(data), 0)
    return b"DSD " + head + b"fmt " + form + b"data" + struct.pack("<Q", 12 + len(data)) + data


def dff(bits: bytes, rate: int) -> bytes:
    """A DSDIFF file: Philips's container of DSD, with the same bits in both channels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack(">Q", len(body)) + body + b"\0" * (len(body) % 2)

    kind = chunk(b"CMPR", b"DSD \x0enot compressed")
    form = chunk(b"FS  ", struct.pack(">I", rate)) + chunk(b"CHNL", struct.pack(">H", 2) + b"SLFTSRGT") + kind
    both = np.frombuffer(bits, np.uint8).repeat(2).tobytes()
    body = chunk(b"FVER", struct.pack(">I", 0x01050000)) + chunk(b"PROP", b"SND " + form) + chunk(b"DSD ", both)
    return b"FRM8" + struct.pack(">Q", len(body) + 4) + b"DSD " + body
