"""FFmpeg's audio filters over a stereo signal, block by block.

Arguments are numbers and constants of ours: nothing that a client wrote becomes a part of a filter's text. Every filter
that is used here gives as many samples as it takes, at once and without a delay; `_Tap` checks it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.filter.context import FilterContext
from numpy.typing import NDArray

from stemsvc.errors import InternalError
from workers.audio.track import CHANNELS

Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Filter:
    """A filter by its FFmpeg name, with its options."""

    name: str
    options: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def arguments(self) -> str:
        """The options as FFmpeg reads them."""
        return ":".join(f"{name}={_text(value)}" for name, value in self.options.items())


def shelf(kind: str, frequency: float, gain_db: float) -> Filter:
    """A shelf (`lowshelf`, `highshelf`) that begins at a frequency in Hz."""
    return Filter(kind, {"f": frequency, "t": "q", "w": 0.7071, "g": gain_db, "r": "f64"})


def bell(frequency: float, width: float, gain_db: float) -> Filter:
    """A bell around a frequency in Hz; `width` is its Q."""
    return Filter("equalizer", {"f": frequency, "t": "q", "w": width, "g": gain_db, "r": "f64"})


def compressor(
    threshold_db: float,
    ratio: float,
    attack_ms: float,
    release_ms: float,
    makeup_db: float = 0.0,
    name: str = "acompressor",
) -> Filter:
    """A compressor with a soft knee of 6 dB, which listens to the mean of both channels."""
    options: dict[str, float | str] = {
        "threshold": max(10 ** (threshold_db / 20), 0.000976563),
        "ratio": ratio,
        "attack": attack_ms,
        "release": release_ms,
        "makeup": 10 ** (makeup_db / 20),
        "knee": 2.0,  # 6 dB
        "detection": "rms",
        "link": "average",
    }
    return Filter(name, options)


class Chain:
    """Filters one after another. Without any, samples pass untouched."""

    def __init__(self, rate: int, filters: Sequence[Filter], keyed: Filter | None = None) -> None:
        """`keyed` comes last; its second input is the `key` of `process`."""
        self._taps: list[_Tap] = []
        self._rate, self._frames = rate, 0
        self._idle = not filters and keyed is None
        if self._idle:
            return
        self._graph = av.filter.Graph()
        last = _source(self._graph, rate)
        for each in filters:
            made = self._graph.add(each.name, each.arguments)
            last.link_to(made)
            last = made
        if keyed is not None:
            key, made = _source(self._graph, rate), self._graph.add(keyed.name, keyed.arguments)
            last.link_to(made, 0, 0)
            key.link_to(made, 0, 1)
            last = made
        self._keyed = keyed is not None
        self._taps.append(_Tap(self._graph, last))
        self._graph.configure()

    def process(self, samples: Sound, key: Sound | None = None) -> Sound:
        """The next samples [n, 2], filtered."""
        if self._idle or not len(samples):
            return samples
        self._graph.push(_frame(samples, self._rate, self._frames), 0)
        if self._keyed and key is not None:
            self._graph.push(_frame(key, self._rate, self._frames), 1)
        self._frames += len(samples)
        return self._taps[0].pull(len(samples))


class Bands:
    """A signal split by Linkwitz-Riley filters of the fourth order, each band with filters of its own, added again."""

    def __init__(self, rate: int, edges: Sequence[float], bands: Sequence[Filter]) -> None:
        """`edges` are in Hz, one less than there are bands."""
        self._rate, self._frames = rate, 0
        self._graph = av.filter.Graph()
        split = self._graph.add("acrossover", f"split={' '.join(f'{edge:.6g}' for edge in edges)}:order=4th")
        _source(self._graph, rate).link_to(split)
        self._taps = []
        for number, each in enumerate(bands):
            made = self._graph.add(each.name, each.arguments)
            split.link_to(made, number, 0)
            self._taps.append(_Tap(self._graph, made))
        self._graph.configure()

    def process(self, samples: Sound) -> Sound:
        """The next samples [n, 2]: the sum of the bands."""
        if not len(samples):
            return samples
        self._graph.push(_frame(samples, self._rate, self._frames))
        self._frames += len(samples)
        first, *others = (tap.pull(len(samples)) for tap in self._taps)
        return sum(others, first)


class _Tap:
    """Where a graph's samples come out."""

    def __init__(self, graph: av.filter.Graph, last: FilterContext) -> None:
        shape = graph.add("aformat", "sample_fmts=flt:channel_layouts=stereo")
        self._sink = graph.add("abuffersink")
        last.link_to(shape)
        shape.link_to(self._sink)

    def pull(self, count: int) -> Sound:
        """So many samples, which must be ready."""
        parts: list[Sound] = []
        while (missing := count - sum(map(len, parts))) > 0:
            try:
                frame = self._sink.pull()
            except (av.BlockingIOError, av.EOFError) as error:
                raise InternalError(f"a filter keeps {missing} of {count} samples back") from error
            assert isinstance(frame, AudioFrame)
            parts.append(np.asarray(frame.to_ndarray(), np.float32).reshape(-1, CHANNELS))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _source(graph: av.filter.Graph, rate: int) -> FilterContext:
    return graph.add_abuffer(
        sample_rate=rate, format="flt", layout="stereo", channels=CHANNELS, time_base=Fraction(1, rate)
    )


def _frame(samples: Sound, rate: int, at: int) -> AudioFrame:
    data = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
    frame = AudioFrame.from_ndarray(data, format="flt", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
    return frame


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.9g}"
