"""Brings decoded frames of any format, layout and rate to one form: stereo float32 at one rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from stemsvc.errors import UnsupportedAudio
from workers.audio.rate import RateConverter
from workers.audio.track import CHANNELS

Sound = NDArray[np.float32]
MIN_RATE, MAX_RATE = 8000, 192000  # Hz of a track
FASTEST = 3_072_000  # Hz; DSD512 decodes to it
BROUGHT_TO = 96000  # Hz, at most: what is faster than MAX_RATE (DSD, DXD) has only noise beyond a half of this
MAX_CHANNELS = 32
CHUNK = 1 << 16  # frames of silence at a time


class Conform:
    """Converts one track's frames. The first frame decides on `rate`, in Hz, and on `channels`, those of the source.

    Mono is copied to both channels. FFmpeg's standard matrix mixes more than two channels down. A frame of another rate
    or layout, in a chained stream, is brought to the first one's. Raises `UsageError` `unsupported_audio`.
    """

    def __init__(self) -> None:
        self.rate = 0
        self.channels = 0
        self._shape: tuple[str, str, int] | None = None  # of the frames that come now
        self._mixer: AudioResampler | None = None
        self._converter: RateConverter | None = None

    def take(self, frame: AudioFrame, silence: int = 0) -> Iterator[Sound]:
        """Yield what is ready of `silence`, so many samples at the frame's rate, and of the frame: chunks [n, 2]."""
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self._shape:
            yield from self._turn_to(frame)
            self._shape = shape
        assert self._converter is not None
        for start in range(0, silence, CHUNK):
            yield self._converter.convert(np.zeros((min(CHUNK, silence - start), CHANNELS), np.float32))
        yield from map(self._converter.convert, self._mixed(frame))

    def finish(self) -> Iterator[Sound]:
        """Yield what the converters hold back."""
        if self._converter is not None:
            yield from map(self._converter.convert, self._mixed(None))
            yield self._converter.finish()
            self._converter = self._shape = None

    def _turn_to(self, frame: AudioFrame) -> Iterator[Sound]:
        rate, channels = frame.sample_rate, len(frame.layout.channels)
        if not MIN_RATE <= rate <= FASTEST:
            raise UnsupportedAudio(f"the sample rate is {rate} Hz; {MIN_RATE} to {FASTEST} Hz are supported")
        if not 1 <= channels <= MAX_CHANNELS:
            raise UnsupportedAudio(f"the file has {channels} channels; 1 to {MAX_CHANNELS} are supported")
        if not self.rate:
            self.rate, self.channels = _bearable(rate), channels
        if self._converter is not None:
            yield from map(self._converter.convert, self._mixed(None))
        if self._converter is None or self._shape is None or self._shape[2] != rate:
            if self._converter is not None:
                yield self._converter.finish()
            self._converter = RateConverter(rate, self.rate)
        layout = "stereo" if channels > CHANNELS else frame.layout
        self._mixer = AudioResampler(format="flt", layout=layout, rate=rate)

    def _mixed(self, frame: AudioFrame | None) -> Iterator[Sound]:
        assert self._mixer is not None
        try:
            mixed = cast("list[AudioFrame | None]", self._mixer.resample(frame))
        except (av.FFmpegError, ValueError) as error:
            raise UnsupportedAudio("the channel layout of this file can't be mixed to stereo") from error
        for part in mixed:
            if part is None:  # the end of frames that need no conversion
                continue
            channels = len(part.layout.channels)
            packed = np.frombuffer(cast("bytes", part.planes[0]), np.float32, part.samples * channels).reshape(
                -1, channels
            )
            yield np.repeat(packed, CHANNELS, axis=1) if channels == 1 else packed


def _bearable(rate: int) -> int:
    """The rate itself, or what it is divided down to where it is beyond `MAX_RATE`."""
    if rate <= MAX_RATE:
        return rate
    return rate // -(-rate // BROUGHT_TO)
