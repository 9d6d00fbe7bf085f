"""Test sounds, and audio files of every format made of them."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import av
import numpy as np
import soundfile
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

Sound = NDArray[np.float32]

# name -> container, encoder, sample format
FORMATS = {
    "song.wav": ("wav", "pcm_s16le", "s16"),
    "song-24.wav": ("wav", "pcm_s24le", "s32"),
    "song-float.wav": ("wav", "pcm_f32le", "flt"),
    "song.flac": ("flac", "flac", "s16"),
    "song.mp3": ("mp3", "libmp3lame", "fltp"),
    "song.ogg": ("ogg", "vorbis", "fltp"),
    "song.opus": ("ogg", "libopus", "flt"),
    "song.m4a": ("ipod", "aac", "fltp"),
    "song.aac": ("adts", "aac", "fltp"),
    "song.aiff": ("aiff", "pcm_s16be", "s16"),
    "song.webm": ("webm", "libopus", "flt"),
}


def tone(seconds: float, rate: int, channels: int = 2, frequency: float = 440.0) -> Sound:
    """A sine [frames, channels] at -12 dBFS, the channels a little apart."""
    time = np.arange(round(seconds * rate)) / rate
    return np.stack([0.25 * np.sin(2 * np.pi * frequency * (1 + 0.01 * c) * time) for c in range(channels)], 1).astype(
        np.float32
    )


def write_sound(path: Path, samples: Sound, rate: int, layout: str = "stereo", kind: str = "") -> Path:
    """Encode [frames, channels] as the format that the file name (or `kind`, a name of FORMATS) asks for."""
    container, encoder, sample_format = FORMATS[kind or path.name]
    if encoder == "vorbis":  # PyAV's wheels decode Vorbis but carry no encoder of quality
        soundfile.write(path, samples, rate, format="OGG", subtype="VORBIS")
        return path
    with av.open(str(path), "w", format=container) as file:
        stream = cast(AudioStream, file.add_stream(encoder, rate=rate))
        stream.layout = layout
        stream.format = sample_format
        if encoder in ("libmp3lame", "aac", "libopus"):
            stream.bit_rate = 256_000
        data = np.ascontiguousarray(samples.astype(np.float32).T)
        for start in range(0, data.shape[1], 4096):
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(data[:, start : start + 4096]), "fltp", layout)
            frame.sample_rate, frame.pts = rate, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path
