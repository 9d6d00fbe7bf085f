"""Measures a file's integrated loudness by EBU R 128 (ITU-R BS.1770-4), with FFmpeg's filter, and its sample peak."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

LEAST_LUFS = -70.0  # the gate: quieter parts don't count, and a file without a louder part has no loudness
_KEY = "lavfi.r128.I"


class Loudness:
    """Measures one signal, stereo or mono, piece by piece."""

    def __init__(self, rate: int, layout: str = "stereo") -> None:
        self._rate = rate
        self._layout = layout
        self._frames = 0
        self._last = LEAST_LUFS
        self.peak = 0.0  # of full scale
        self._graph = av.filter.Graph()
        source = self._graph.add_abuffer(
            sample_rate=rate,
            format="flt",
            layout=layout,
            channels=2 if layout == "stereo" else 1,
            time_base=Fraction(1, rate),
        )
        meter, sink = self._graph.add("ebur128", "metadata=1:framelog=quiet"), self._graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        self._graph.configure()

    def add(self, samples: NDArray[np.float32]) -> None:
        """Measure the next samples [n, channels]."""
        if not len(samples):
            return
        self.peak = max(self.peak, float(np.abs(samples).max()))
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples.reshape(1, -1)), format="flt", layout=self._layout)
        frame.sample_rate, frame.pts = self._rate, self._frames
        self._frames += len(samples)
        self._graph.push(frame)
        self._pull()

    def integrated(self) -> float | None:
        """LUFS of all samples so far; None for silence and for less than the 0.4 s that a measurement takes."""
        return round(self._last, 2) if self._last > LEAST_LUFS else None

    def _pull(self) -> None:
        while True:
            try:
                heard = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            if found := heard.metadata.get(_KEY):
                self._last = float(found)
