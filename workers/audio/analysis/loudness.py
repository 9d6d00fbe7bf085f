"""Loudness by EBU R 128: integrated, range, momentary and short-term maxima, true peak."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from stemsvc.jobs.levels import decibels
from workers.audio.true_peak import TruePeak

LEAST_LUFS = -70.0  # the gate of BS.1770: what never exceeds it has no loudness
MOMENTARY_SECONDS, SHORT_TERM_SECONDS = 0.4, 3.0
LAYOUTS = {1: "mono", 2: "stereo", 5: "5.0"}
_FRAME = "lavfi.r128."


@dataclass(frozen=True)
class LoudnessFacts:
    """LUFS, LU and dBTP; None where the track is silent or too short for the measurement."""

    integrated_lufs: float | None = None
    range_lu: float | None = None
    momentary_max: float | None = None
    short_term_max: float | None = None
    true_peak_dbtp: float | None = None


class LoudnessMeter:
    """Measures a signal of so many `channels` piece by piece, by FFmpeg's `ebur128`.

    Five channels are left, right, centre and two surrounds. Of more samples' columns than `channels` the first count: a
    mono track lies in both of its columns, and is heard once.
    """

    def __init__(self, rate: int, channels: int = 2) -> None:
        self._rate, self._channels, self._layout, self._frames = rate, channels, LAYOUTS[channels], 0
        self._peak = TruePeak(rate)
        self._last: dict[str, float] = {}
        self._highest = {"M": -math.inf, "S": -math.inf}
        self._graph = av.filter.Graph()
        source = self._graph.add_abuffer(
            sample_rate=rate,
            format="flt",
            layout=self._layout,
            channels=channels,
            time_base=Fraction(1, rate),
        )
        meter, sink = self._graph.add("ebur128", "metadata=1:framelog=quiet"), self._graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        self._graph.configure()

    def add(self, samples: NDArray[np.float32]) -> None:
        """Measure the next samples [n, channels or more]."""
        if not len(samples):
            return
        heard = np.ascontiguousarray(samples[:, : self._channels])
        self._peak.add(heard)
        frame = AudioFrame.from_ndarray(heard.reshape(1, -1), format="flt", layout=self._layout)
        frame.sample_rate, frame.pts = self._rate, self._frames
        self._frames += len(heard)
        self._graph.push(frame)
        self._pull()

    def facts(self) -> LoudnessFacts:
        """What was measured. Call it once, at the end."""
        seconds = self._frames / self._rate
        peak = self._peak.finish()
        integrated = self._known(self._last.get("I"))
        return LoudnessFacts(
            integrated,
            None if integrated is None or seconds < SHORT_TERM_SECONDS else round(self._last.get("LRA", 0.0), 2),
            self._known(self._highest["M"]) if seconds >= MOMENTARY_SECONDS else None,
            self._known(self._highest["S"]) if seconds >= SHORT_TERM_SECONDS else None,
            decibels(peak),
        )

    @staticmethod
    def _known(value: float | None) -> float | None:
        return round(value, 2) if value is not None and value > LEAST_LUFS else None

    def _pull(self) -> None:
        while True:
            try:
                heard = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            found = heard.metadata
            for name in ("I", "LRA", "M", "S"):
                if (text := found.get(_FRAME + name)) is not None:
                    self._last[name] = float(text)
            for name in self._highest:
                if name in self._last:
                    self._highest[name] = max(self._highest[name], self._last[name])
